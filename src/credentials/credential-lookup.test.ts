import { expect, test } from 'vitest'
import { createCredentialLookup } from './credential-lookup.js'
import { chainLookups } from './credential-store.js'

const NOWHERE = { HOME: '/does/not/exist' }
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

test('a chain stops at the first that knows something', async () => {
  const found = { kind: 'registry-token', token: 't', from: 'x' } as const
  const chain = chainLookups([
    { find: async () => undefined },
    { find: async () => found },
    {
      find: async () => {
        throw new Error('asked in vain')
      },
    },
  ])
  expect(await chain.find('r.example')).toBe(found)
})
