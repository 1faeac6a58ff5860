import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { CredentialError } from './credential-error.js'
import type { CredentialStore, StoredCredential } from './credential-store.js'
import { serveHelper } from './helper-protocol.js'

const NAME = 'docker-credential-test'

/** Runs the helper on a store in memory. @returns what it wrote, and the code */
async function serve(
  parameters: string[],
  input = '',
  entries = new Map<string, StoredCredential>(),
): Promise<[string, number]> {
  const store: CredentialStore = {
    label: 'memory',
    get: async server => entries.get(server),
    store: async (server, credential) => void entries.set(server, credential),
    erase: async server => entries.delete(server),
    list: async () => new Map([...entries].map(([server, { username }]) => [server, username])),
  }
  const { output, exitCode } = await serveHelper(parameters, {
    name: NAME,
    packageName: 'a-package',
    version: '1.2.3',
    input: Readable.from([input]),
    openStore: async () => store,
  })
  return [output, exitCode]
}

const given = (...servers: string[]) =>
  new Map(servers.map(server => [server, { username: 'ada', secret: 'correct <horse>' }]))

describe('R133: the helper', () => {
  it('gets credentials', async () => {
    const output = `{"ServerURL":"r.example","Username":"ada","Secret":"correct \\u003chorse\\u003e"}\n`
    expect(await serve(['get'], 'r.example\n', given('r.example'))).toEqual([output, 0])
    expect(await serve(['get'], ' r.example', given('r.example'))).toEqual([output, 0])
  })

  it('stores credentials', async () => {
    const entries = given()
    const request = '{"ServerURL":"r.example","Username":"<token>","Secret":"s\\n"}'
    expect(await serve(['store'], request, entries)).toEqual(['', 0])
    expect([...entries]).toEqual([['r.example', { username: '<token>', secret: 's\n' }]])
  })

  it('erases credentials, and is content when there are none', async () => {
    const entries = given('r.example', 'other')
    expect(await serve(['erase'], 'r.example\r\n', entries)).toEqual(['', 0])
    expect(await serve(['erase'], 'r.example', entries)).toEqual(['', 0])
    expect([...entries.keys()]).toEqual(['other'])
  })

  it('lists the user of each server', async () => {
    expect(await serve(['list'], 'ignored', given('https://a/v1/', 'b'))).toEqual([
      '{"https://a/v1/":"ada","b":"ada"}\n',
      0,
    ])
    expect(await serve(['list'])).toEqual(['{}\n', 0])
  })

  it.each(['version', '--version', '-v'])('says which version it is: %s', async action => {
    expect(await serve([action])).toEqual([`${NAME} (a-package) 1.2.3\n`, 0])
  })

  it.each([
    [['-h'], 0],
    [['--help'], 0],
    [[], 1],
    [['get', 'r.example'], 1],
  ])('tells how it is used: %j', async (parameters, code) => {
    expect(await serve(parameters)).toEqual([`Usage: ${NAME} <store|get|erase|list|version>\n`, code])
  })
})

describe('R135: the helper fails in words that callers know', () => {
  it.each([
    ['get', 'r.example', 'credentials not found in native keychain'],
    ['get', ' \n', 'no credentials server URL'],
    ['erase', '', 'no credentials server URL'],
    ['store', '{"Username":"ada","Secret":"s"}', 'no credentials server URL'],
    ['store', '{"ServerURL":"r.example","Secret":"s"}', 'no credentials username'],
    ['nonsense', '', `${NAME}: unknown action: nonsense`],
    ['a\nb', '', `${NAME}: unknown action: a b`],
  ])('%j with %j', async (action, input, line) => {
    expect(await serve([action], input)).toEqual([`${line}\n`, 1])
  })

  it.each(['', '{"Secret": canary', '"canary"', '{"ServerURL":"r","Username":"u","Secret":["canary"]}'])(
    'R219: without what was to be stored: %s',
    async input => {
      expect(await serve(['store'], input)).toEqual([
        'the credentials to store are not the JSON that they should be\n',
        1,
      ])
    },
  )

  it('when a request is too large', async () => {
    expect(await serve(['get'], 'x'.repeat(1024 * 1024 + 1))).toEqual([
      'the request is larger than 1048576 bytes\n',
      1,
    ])
  })

  it('when there is no keychain, in one line', async () => {
    const outcome = await serveHelper(['list'], {
      name: NAME,
      packageName: 'a-package',
      version: '1.2.3',
      input: Readable.from([]),
      openStore: () => {
        throw new CredentialError('there is no\nkeychain', { kind: 'failed', code: 'no-keychain', hint: 'x' })
      },
    })
    expect(outcome).toEqual({ output: 'there is no keychain\n', exitCode: 1 })
  })
})
