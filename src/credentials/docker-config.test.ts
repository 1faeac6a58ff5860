import { describe, expect, test } from 'vitest'
import type { HelperRequest } from './credential-helper.js'
import type { Credential } from './credential-store.js'
import { dockerConfigPath, dockerConfigPlace, parseDockerConfig, readDockerConfig } from './docker-config.js'

const base64 = (text: string) => Buffer.from(text).toString('base64')

function lookupOf(document: unknown, helpers: Record<string, Credential> = {}) {
  const warnings: string[] = []
  const asked: HelperRequest[] = []
  const config = parseDockerConfig(Buffer.from(JSON.stringify(document)), '/home/ada/config.json')
  const place = dockerConfigPlace(config, {
    warn: message => warnings.push(message),
    ask: async request => {
      asked.push(request)
      return helpers[request.helper]
    },
  })
  const lookup = {
    find: async (registry: string) => (await place.find(registry))?.credential,
  }
  return { lookup, place, warnings, asked }
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

test('what is listed has no secrets, and names helpers without asking them', async () => {
  const { place, asked } = lookupOf({
    auths: {
      'a.example': { auth: base64('ada:canary') },
      'b.example': { identitytoken: 'canary' },
      'c.example': {},
    },
    credHelpers: { 'd.example': 'own' },
    credsStore: 'all',
  })
  expect(await place.list()).toEqual([
    { registry: 'd.example', key: 'd.example', kind: 'helper', helper: 'docker-credential-own' },
    { registry: 'c.example', key: 'c.example', kind: 'helper', helper: 'docker-credential-all' },
    { registry: 'a.example', key: 'a.example', kind: 'password', username: 'ada' },
    { registry: 'b.example', key: 'b.example', kind: 'identity-token' },
  ])
  expect(asked).toEqual([])
})
