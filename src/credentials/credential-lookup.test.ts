import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { CredentialError } from './credential-error.js'
import { createCredentialLookup } from './credential-lookup.js'
import type { CredentialStore, StoredCredential } from './credential-store.js'

const NOWHERE = { HOME: '/does/not/exist', XDG_RUNTIME_DIR: '/does/not/exist' }
const auths = (host: string, text: string) =>
  JSON.stringify({ auths: { [host]: { auth: Buffer.from(text).toString('base64') } }, unknown: 1 })

test('flags come first, for every registry', async () => {
  const lookup = createCredentialLookup({
    flags: { username: 'a', password: 'b' },
    environment: { ...NOWHERE, DOCKER_AUTH_CONFIG: auths('r.example', 'c:d') },
    warn() {},
  })
  expect(await lookup.find('r.example')).toMatchObject({ username: 'a', from: 'the command line' })
})

test('R128: DOCKER_AUTH_CONFIG is the text of a config.json', async () => {
  const environment = { ...NOWHERE, DOCKER_AUTH_CONFIG: auths('r.example', 'c:d') }
  const lookup = createCredentialLookup({ environment, warn() {} })
  expect(await lookup.find('r.example')).toMatchObject({
    username: 'c',
    from: 'DOCKER_AUTH_CONFIG (r.example)',
  })
  expect(await lookup.find('other.example')).toBeUndefined()
})

test('a DOCKER_AUTH_CONFIG that is no JSON is a warning without its text', async () => {
  const warnings: string[] = []
  const lookup = createCredentialLookup({
    environment: { ...NOWHERE, DOCKER_AUTH_CONFIG: 'canary-secret' },
    warn: message => warnings.push(message),
  })
  expect(await lookup.find('r.example')).toBeUndefined()
  expect(warnings).toEqual(['DOCKER_AUTH_CONFIG is left out: it is no JSON object'])
})

test('R137: a helper is asked once for each registry', async () => {
  let asked = 0
  const lookup = createCredentialLookup({
    environment: { ...NOWHERE, DOCKER_AUTH_CONFIG: '{"credsStore":"x"}' },
    warn() {},
    askHelper: async () => {
      asked++
      return undefined
    },
  })
  await Promise.all([lookup.find('r.example', 'a'), lookup.find('r.example', 'b'), lookup.find('r.example')])
  expect(asked).toBe(1)
})

/** A keychain with these entries, that counts how often it is opened and asked. */
function keychainOf(entries: Record<string, StoredCredential>) {
  const counts = { opened: 0, asked: 0 }
  const store: CredentialStore = {
    label: 'the keychain (test)',
    get: async server => {
      counts.asked++
      return entries[server]
    },
    store: async () => {},
    erase: async () => false,
    list: async () => new Map(Object.entries(entries).map(([server, { username }]) => [server, username])),
  }
  const openKeychain = async () => {
    counts.opened++
    return store
  }
  return { counts, openKeychain }
}

const failing = (code: string) => async (): Promise<CredentialStore> => {
  throw new CredentialError('the keychain is locked', { kind: 'failed', code })
}

describe('the order of the places', () => {
  /** From the last that is asked to the first, each with its own user name. */
  const steps = [
    'dockercfg',
    'user',
    'session',
    'docker',
    'authFile',
    'keychain',
    'gitlab',
    'variable',
    'flags',
  ]

  test.each(steps.map((step, index) => [step, steps.slice(0, index + 1)] as const))(
    '%s comes before those after it',
    async (winner, present) => {
      await using folder = await temporaryFolder()
      const home = folder.path
      const write = async (name: string, path: string, top = false) => {
        if (!present.includes(name)) return
        const text = auths('r.example', `${name}:x`)
        await mkdir(dirname(path), { recursive: true })
        await writeFile(path, top ? JSON.stringify(JSON.parse(text).auths) : text)
      }
      const authFile = join(home, 'other.json')
      await write('dockercfg', join(home, '.dockercfg'), true)
      await write('user', join(home, '.config/containers/auth.json'))
      await write('session', join(home, 'run/containers/auth.json'))
      await write('docker', join(home, '.docker/config.json'))
      await write('authFile', authFile)
      const gitlab = { CI_REGISTRY: 'r.example', CI_REGISTRY_USER: 'gitlab', CI_REGISTRY_PASSWORD: 'x' }
      const keychain = keychainOf({ 'r.example': { username: 'keychain', secret: 'x' } })
      const lookup = createCredentialLookup({
        environment: {
          HOME: home,
          XDG_RUNTIME_DIR: join(home, 'run'),
          REGISTRY_AUTH_FILE: authFile,
          ...(present.includes('gitlab') && gitlab),
          ...(present.includes('variable') && { DOCKER_AUTH_CONFIG: auths('r.example', 'variable:x') }),
        },
        warn() {},
        ...(present.includes('keychain') && { openKeychain: keychain.openKeychain }),
        ...(present.includes('flags') && { flags: { username: 'flags', password: 'x' } }),
      })
      expect(await lookup.find('r.example', 'team/app')).toMatchObject({ username: winner })
      const outcomes = await lookup.explain('r.example', 'team/app')
      const found = outcomes.filter(({ state }) => state === 'used' || state === 'shadowed')
      expect(found.map(({ state }) => state)).toEqual(['used', ...present.slice(1).map(() => 'shadowed')])
      expect(found.map(({ entry }) => entry?.username)).toEqual([...present].reverse())
    },
  )
})

test("GitLab's variables are for its own registry", async () => {
  const environment = {
    ...NOWHERE,
    CI_REGISTRY: 'r.example:5050',
    CI_REGISTRY_USER: 'a',
    CI_REGISTRY_PASSWORD: 'b',
  }
  const lookup = createCredentialLookup({ environment, warn() {} })
  expect(await lookup.find('r.example:5050', 'x')).toMatchObject({ username: 'a', from: 'CI_REGISTRY_USER' })
  expect(await lookup.find('r.example')).toBeUndefined()
})

describe('the keychain', () => {
  test('R111, R134: is asked once for each registry, by the name that Docker has for it', async () => {
    const hub = { username: '<token>', secret: 'canary' }
    const { counts, openKeychain } = keychainOf({ 'https://index.docker.io/v1/': hub })
    const lookup = createCredentialLookup({ environment: NOWHERE, warn() {}, openKeychain })
    expect(counts).toEqual({ opened: 0, asked: 0 })
    expect(await lookup.find('docker.io', 'library/a')).toMatchObject({
      kind: 'identity-token',
      token: 'canary',
    })
    expect(await lookup.find('docker.io', 'library/b')).toMatchObject({ kind: 'identity-token' })
    expect(counts).toEqual({ opened: 1, asked: 1 })
    expect(JSON.stringify([await lookup.explain('docker.io'), await lookup.list()])).not.toContain('canary')
  })

  test('is not asked again by way of our own helper', async () => {
    const asked: string[] = []
    const config = { credsStore: 'regctl', credHelpers: { 'b.example': 'other' } }
    const lookup = createCredentialLookup({
      environment: { ...NOWHERE, DOCKER_AUTH_CONFIG: JSON.stringify(config) },
      warn() {},
      openKeychain: keychainOf({}).openKeychain,
      askHelper: async ({ helper }) => {
        asked.push(helper)
        return undefined
      },
    })
    expect(await lookup.find('a.example')).toBeUndefined()
    expect(await lookup.find('b.example')).toBeUndefined()
    expect(asked).toEqual(['other'])
  })

  test('that is locked is one warning, and the next place is asked', async () => {
    const warnings: string[] = []
    const lookup = createCredentialLookup({
      environment: NOWHERE,
      warn: message => warnings.push(message),
      openKeychain: failing('keychain-locked'),
    })
    await Promise.all([lookup.find('a.example'), lookup.find('b.example')])
    await lookup.find('c.example')
    expect(warnings).toEqual(['the keychain is locked: going on without it'])
    expect(await lookup.explain('a.example')).toContainEqual({
      place: 'the keychain',
      state: 'failed',
      reason: 'the keychain is locked',
    })
  })

  test('that is not there is no warning', async () => {
    const warnings: string[] = []
    const lookup = createCredentialLookup({
      environment: NOWHERE,
      warn: message => warnings.push(message),
      openKeychain: failing('no-keychain'),
    })
    expect(await lookup.find('a.example')).toBeUndefined()
    expect(warnings).toEqual([])
  })
})

test('R121: a file that is no JSON ends the look-up, and the explanation says where', async () => {
  await using folder = await temporaryFolder()
  await writeFile(join(folder.path, 'bad.json'), 'canary')
  const environment = { ...NOWHERE, HOME: folder.path, REGISTRY_AUTH_FILE: join(folder.path, 'bad.json') }
  const lookup = createCredentialLookup({ environment, warn() {} })
  await expect(lookup.find('r.example')).rejects.toMatchObject({ code: 'bad-docker-config' })
  const outcomes = await lookup.explain('r.example')
  expect(outcomes.find(({ state }) => state === 'failed')?.reason).toMatch(/bad\.json: it is not JSON$/)
  expect(outcomes.at(-1)?.state).toBe('not-asked')
})
