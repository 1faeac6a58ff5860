import { describe, expect, test } from 'vitest'
import type { HelperRequest } from './credential-helper.js'
import type { Credential } from './credential-store.js'
import {
  dockerConfigLookup,
  dockerConfigPath,
  matchKey,
  parseDockerConfig,
  readDockerConfig,
} from './docker-config.js'

const base64 = (text: string) => Buffer.from(text).toString('base64')

function lookupOf(document: unknown, helpers: Record<string, Credential> = {}) {
  const warnings: string[] = []
  const asked: HelperRequest[] = []
  const config = parseDockerConfig(Buffer.from(JSON.stringify(document)), '/home/ada/config.json')
  const lookup = dockerConfigLookup(
    config,
    message => warnings.push(message),
    async request => {
      asked.push(request)
      return helpers[request.helper]
    },
  )
  return { lookup, warnings, asked }
}

describe('R121: the place of config.json', () => {
  test.each([
    [{ DOCKER_CONFIG: '/d', HOME: '/h' }, '/d/config.json'],
    [{ DOCKER_CONFIG: '', HOME: '/h' }, '/h/.docker/config.json'],
  ])('%j is %s', (environment, path) => {
    expect(dockerConfigPath(environment)).toBe(path)
  })

  test('a file that is not there is fine', async () => {
    expect(await readDockerConfig('/does/not/exist/config.json')).toBeUndefined()
  })

  test('an error names the file, and shows nothing of its content', () => {
    expect(() => parseDockerConfig(Buffer.from('{"auth":"canary-secret'), '/x/config.json')).toThrow(
      /^cannot read the credentials in \/x\/config.json: it is not JSON$/,
    )
  })
})

describe('R122: an entry', () => {
  test.each([
    ['split at the first colon', { auth: base64('ada:pass:word') }, 'pass:word'],
    ['without zeros at the end', { auth: base64('ada:word\0\0') }, 'word'],
    ['in clear', { username: 'ada', password: 'word' }, 'word'],
  ])('%s', async (_what, entry, password) => {
    const { lookup } = lookupOf({ auths: { 'r.example': entry } })
    expect(await lookup.find('r.example')).toEqual({
      kind: 'password',
      username: 'ada',
      password,
      from: '/home/ada/config.json (r.example)',
    })
  })

  test.each(['not base64!', base64('no colon'), base64(':no user')])(
    '%j is left out with a warning',
    async auth => {
      const { lookup, warnings } = lookupOf({ auths: { 'r.example': { auth } } })
      expect(await lookup.find('r.example')).toBeUndefined()
      expect(warnings).toEqual([
        'the entry for r.example in /home/ada/config.json is left out: its "auth" is no user name and password in base64',
      ])
    },
  )

  test('that is empty says nothing', async () => {
    const { lookup, warnings } = lookupOf({ auths: { 'r.example': {} } })
    expect(await lookup.find('r.example')).toBeUndefined()
    expect(warnings).toEqual([])
  })

  test('R126: may hold an identity token or a registry token', async () => {
    const { lookup } = lookupOf({
      auths: {
        'a.example': { auth: base64('<token>:x'), identitytoken: 'identity' },
        'b.example': { registrytoken: 'ready' },
      },
    })
    expect(await lookup.find('a.example')).toMatchObject({ kind: 'identity-token', token: 'identity' })
    expect(await lookup.find('b.example')).toMatchObject({ kind: 'registry-token', token: 'ready' })
  })
})

describe('R123, R124: the key', () => {
  test.each([
    ['r.example', 'r.example'],
    ['https://r.example/v1/', 'r.example'],
    ['http://R.Example', 'r.example'],
    ['r.example:5000', 'r.example:5000'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['https://docker.io', 'docker.io'],
  ])('%s is for %s', (key, registry) => {
    expect(matchKey(new Map([[key, 1]]), registry)).toEqual({ key, value: 1 })
  })

  test.each([
    ['r.example', 'r.example:5000'],
    ['r.example:5000', 'r.example'],
    ['r.example', 'evil-r.example'],
    ['r.example.evil', 'r.example'],
  ])('%s is not for %s', (key, registry) => {
    expect(matchKey(new Map([[key, 1]]), registry)).toBeUndefined()
  })

  test('that is exact wins', () => {
    const entries = new Map([
      ['https://r.example', 1],
      ['r.example', 2],
    ])
    expect(matchKey(entries, 'r.example')?.value).toBe(2)
  })
})

describe('R125: a helper', () => {
  const fromHelper: Credential = { kind: 'password', username: 'h', password: 'p', from: 'helper' }

  test('of the registry comes before the store, and both before the file', async () => {
    const { lookup, asked } = lookupOf(
      {
        auths: { 'r.example': { auth: base64('a:b') } },
        credHelpers: { 'r.example': 'own' },
        credsStore: 'all',
      },
      { own: fromHelper, all: fromHelper },
    )
    expect(await lookup.find('r.example')).toBe(fromHelper)
    expect(await lookup.find('other.example:1')).toBe(fromHelper)
    expect(asked.map(({ helper, server }) => [helper, server])).toEqual([
      ['own', 'r.example'],
      ['all', 'other.example:1'],
    ])
  })

  test('that knows nothing leaves it to the file; R134: Docker Hub has a name of its own', async () => {
    const { lookup, asked } = lookupOf({ auths: { 'docker.io': { auth: base64('a:b') } }, credsStore: 'all' })
    expect(await lookup.find('docker.io')).toMatchObject({ username: 'a', password: 'b' })
    expect(asked.map(({ server }) => server)).toEqual(['https://index.docker.io/v1/'])
  })
})
