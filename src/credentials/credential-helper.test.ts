import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runHelper } from './credential-helper.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-helper-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function ask(script: string, options: { helper?: string; server?: string; timeLimitMs?: number } = {}) {
  const path = join(folder, 'docker-credential-test')
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
  const warnings: string[] = []
  const credential = await runHelper({
    helper: options.helper ?? 'test',
    server: options.server ?? 'r.example:5000',
    from: 'config.json',
    warn: message => warnings.push(message),
    environment: { PATH: `${folder}${delimiter}${process.env.PATH}` },
    ...(options.timeLimitMs !== undefined && { timeLimitMs: options.timeLimitMs }),
  })
  return { credential, warnings }
}

describe('a credential helper', () => {
  test('R133: gets the server on its input and answers in JSON', async () => {
    const { credential } = await ask(
      `read -r server || true; printf '{"Username":"%s %s","Secret":"s e"}' "$1" "$server"`,
    )
    expect(credential).toEqual({
      kind: 'password',
      username: 'get r.example:5000',
      password: 's e',
      from: 'docker-credential-test (config.json)',
    })
  })

  test('R135: may answer with an identity token', async () => {
    const { credential } = await ask(`echo '{"Username":"<token>","Secret":"t"}'`)
    expect(credential).toMatchObject({ kind: 'identity-token', token: 't' })
  })

  test.each([
    `echo 'credentials not found in native keychain'; exit 1`,
    `echo '{"Username":"","Secret":""}'`,
  ])('R135: may know nothing: %s', async script => {
    expect(await ask(script)).toEqual({ credential: undefined, warnings: [] })
  })

  test.each([
    [`echo 'the keychain is locked'; exit 1`, 'the keychain is locked'],
    [`exit 3`, 'it ended with 3'],
    [`echo nonsense`, 'its answer is no JSON'],
    [`echo '[]'`, 'its answer is no JSON object'],
    [`head -c 2000000 /dev/zero`, 'it wrote too much'],
  ])('fails: %s', async (script, why) => {
    await expect(ask(script)).rejects.toMatchObject({
      kind: 'denied',
      code: 'helper-failed',
      message: `the credential helper of config.json failed for r.example:5000: ${why}`,
    })
  })

  test('R137: is ended when it takes too long', async () => {
    await expect(ask('exec sleep 60', { timeLimitMs: 100 })).rejects.toThrow('it took too long')
  })

  test('R136: that is not installed is a warning', async () => {
    const { credential, warnings } = await ask('', { helper: 'no-such-helper' })
    expect(credential).toBeUndefined()
    expect(warnings).toEqual([
      'docker-credential-no-such-helper, which config.json names, is not installed: going on without credentials',
    ])
  })

  test.each([
    { helper: '../evil' },
    { helper: 'a;b' },
    { server: 'r.example\nhost=evil' },
    { server: 'r.example\0' },
  ])('R221: is not started for %j', async options => {
    await expect(ask('echo started', options)).rejects.toThrow('characters')
  })
})
