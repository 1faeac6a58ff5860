import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  ada,
  type FakeTokenRegistryOptions,
  fakeTokenRegistry,
  REALM,
} from '../../test/support/fake-token-registry.js'
import type { Credential } from '../credentials/credential-store.js'

test('R105, R106: asks for the repository that is written to first, each scope on its own', async () => {
  const registry = fakeTokenRegistry({ credential: ada })
  await registry.ask('repository:a:pull,push repository:b:pull')
  expect(registry.asked[0]?.url).toBe(
    'https://auth.example/token?service=s&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull&client_id=regctl',
  )
})

test('R98: a password goes by POST to a token server that knows no GET', async () => {
  const registry = fakeTokenRegistry({
    credential: ada,
    onToken: ({ method }) => (method === 'GET' ? { status: 405 } : undefined),
  })
  expect((await registry.ask()).status).toBe(200)
  expect(registry.asked[1]).toMatchObject({ method: 'POST', url: REALM, authorization: undefined })
  expect(`${registry.asked[1]?.form}`).toBe(
    'grant_type=password&username=ada&password=p%3Aw&client_id=regctl&service=s&scope=repository%3Aa%3Apull',
  )
})

test.each([404, 405])('R98: an identity token has no other way than POST (%i)', async status => {
  const credential: Credential = { kind: 'identity-token', token: 'canary', from: 'config.json (r)' }
  const registry = fakeTokenRegistry({ credential, onToken: () => ({ status }) })
  const failure = registry.ask()
  await expect(failure).rejects.toMatchObject({
    kind: 'denied',
    message: `test of r.example/a failed: the token server does not take identity tokens, such as the one from config.json (r): POST auth.example/token answered ${status}`,
  })
  expect(registry.asked).toHaveLength(1)
})

test('R99: never asks for a token that renews itself', async () => {
  const forms: FakeTokenRegistryOptions[] = [
    { credential: ada },
    { credential: ada, onToken: ({ method }) => (method === 'GET' ? { status: 404 } : undefined) },
    { credential: { kind: 'identity-token', token: 'i', from: 'test' } },
    {},
  ]
  for (const form of forms) {
    const registry = fakeTokenRegistry(form)
    await registry.ask()
    expect(JSON.stringify(registry.asked.map(({ url, form }) => [url, `${form}`]))).not.toContain('offline')
  }
})

test('R94: without credentials a token is asked for without any', async () => {
  const registry = fakeTokenRegistry()
  await registry.ask()
  expect(registry.asked).toMatchObject([{ method: 'GET', authorization: undefined }])
})

test.each([
  ['{"token":"a","access_token":"b"}', 'b'],
  ['{"token":"a","access_token":""}', 'a'],
  ['{"token":"a","access_token":null}', 'a'],
])('R95: of the reply %s the token is %s', async (body, expected) => {
  const registry = fakeTokenRegistry({ onToken: () => ({ status: 200, body }) })
  await registry.ask()
  expect(registry.authorizations().at(-1)).toBe(`Bearer ${expected}`)
})

test.each([
  ['{}', 'the token server gave no token'],
  ['{"token":7}', 'the token server gave no token'],
  ['canary.token.in-clear', 'the token server did not answer with JSON'],
  ['["canary"]', 'the token server did not answer with JSON'],
])('R95, R219: the reply %s is no token, and is not shown', async (body, text) => {
  const registry = fakeTokenRegistry({ onToken: () => ({ status: 200, body }) })
  const error: unknown = await registry.ask().catch((reason: unknown) => reason)
  expect(error).toMatchObject({
    code: 'token-server',
    message: `test of r.example/a failed: ${text}: GET auth.example/token answered 200`,
  })
  expect(inspect(error, { depth: 9 })).not.toContain('canary')
})

test('R92: keeps the query of a realm byte for byte', async () => {
  const realm = 'https://auth.example/token?account=a%20b&x=1+2'
  const registry = fakeTokenRegistry({ challenge: `realm="${realm}",service="a service"` })
  await registry.ask()
  expect(registry.asked[0]?.url).toBe(
    `${realm}&service=a%20service&scope=repository%3Aa%3Apull&client_id=regctl`,
  )
})

describe('what registries ask for', () => {
  test.each([
    [
      'R111: Docker Hub',
      'realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/ubuntu:pull"',
      'https://auth.docker.io/token?service=registry.docker.io&scope=repository%3Alibrary%2Fubuntu%3Apull',
    ],
    [
      'R113: public.ecr.aws',
      'realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws"',
      'https://public.ecr.aws/token/?service=public.ecr.aws&scope=repository%3Alibrary%2Fubuntu%3Apull',
    ],
    [
      'R115: Artifact Registry, without a service',
      'realm="https://eu-docker.pkg.dev/v2/token"',
      'https://eu-docker.pkg.dev/v2/token?scope=repository%3Alibrary%2Fubuntu%3Apull',
    ],
    [
      'R116: GHCR',
      'realm="https://ghcr.io/token",service="ghcr.io",scope="repository:library/ubuntu:pull"',
      'https://ghcr.io/token?service=ghcr.io&scope=repository%3Alibrary%2Fubuntu%3Apull',
    ],
    [
      'R117: GitLab, on another host',
      'realm="https://gitlab.example/jwt/auth",service="container_registry"',
      'https://gitlab.example/jwt/auth?service=container_registry&scope=repository%3Alibrary%2Fubuntu%3Apull',
    ],
    [
      'R119: Gitea, whose realm is what its configuration says',
      'realm="https://git.other.example/v2/token",service="container_registry",scope="*"',
      'https://git.other.example/v2/token?service=container_registry&scope=repository%3Alibrary%2Fubuntu%3Apull',
    ],
  ])('%s', async (_name, header, expected) => {
    const registry = fakeTokenRegistry({ challenge: header })
    await registry.ask('repository:library/ubuntu:pull')
    expect(registry.asked[0]?.url).toBe(`${expected}&client_id=regctl`)
  })

  test.each([
    ['R111', 'ada', 'dckr_pat_x'],
    ['R115', '_json_key', '{\n "private_key": "a\\nb"\n}'],
    ['R118', 'org+robot', 'x'],
    ['R118', '$oauthtoken', 'x'],
    ['R118', 'robot$name', 'x'],
  ])(
    '%s: the user name %s and its password reach the token server as they are',
    async (_rule, username, password) => {
      const registry = fakeTokenRegistry({
        credential: { kind: 'password', username, password, from: 'test' },
      })
      await registry.ask()
      const sent = registry.asked[0]?.authorization?.replace('Basic ', '') ?? ''
      expect(`${Buffer.from(sent, 'base64')}`).toBe(`${username}:${password}`)
    },
  )

  test('R114: ACR takes an identity token by POST', async () => {
    const registry = fakeTokenRegistry({
      challenge: 'realm="https://reg.azurecr.io/oauth2/token",service="reg.azurecr.io"',
      credential: { kind: 'identity-token', token: 'i', from: 'test' },
    })
    await registry.ask()
    expect(registry.asked[0]?.method).toBe('POST')
    expect(`${registry.asked[0]?.form}`).toBe(
      'grant_type=refresh_token&refresh_token=i&client_id=regctl&service=reg.azurecr.io&scope=repository%3Aa%3Apull',
    )
  })
})
