import { describe, expect, test } from 'vitest'
import { type FakeAnswer, fakeSender, requestOf } from '../../test/support/fake-sender.js'
import { ada, fakeTokenRegistry, REALM } from '../../test/support/fake-token-registry.js'
import type { Credential } from '../credentials/credential-store.js'
import { Authenticator } from './auth.js'
import { Secrets } from './secrets.js'

const policy = { isInsecure: () => false, allowInternal: false }
const challenge = (more = '') => ({
  status: 401,
  headers: { 'www-authenticate': `Bearer realm="https://auth.example/token",service="s"${more}` },
})
const token = (value: string, more = '') => ({ status: 200, body: `{"token":"${value}"${more}}` })

function authenticate(answers: FakeAnswer[], credential?: Credential) {
  const { send, seen } = fakeSender(...answers)
  const clock = { now: 0 }
  const credentials = { find: async () => credential }
  const options = { credentials, policy, secrets: new Secrets(), now: () => clock.now }
  const authenticator = new Authenticator(send, options)
  return { send: authenticator.send, seen, clock }
}

test('no credentials are looked up until a registry asks for them, and then once', async () => {
  const { send } = fakeSender({ status: 200 }, challenge(), token('t'), { status: 200 }, { status: 200 })
  let asked = 0
  const find = async () => {
    asked++
    return ada
  }
  const authenticator = new Authenticator(send, {
    credentials: { find },
    policy,
    secrets: new Secrets(),
    now: () => 0,
  })
  await authenticator.send(requestOf())
  expect(asked).toBe(0)
  await authenticator.send(requestOf())
  await authenticator.send(requestOf())
  expect(asked).toBe(1)
})

test('R97: an identity token is exchanged by POST and stays out of the URL', async () => {
  const credential: Credential = { kind: 'identity-token', token: 'canary&=', from: 'test' }
  const { send, seen } = authenticate(
    [challenge(), { status: 200, body: '{"access_token":"t"}' }, { status: 200 }],
    credential,
  )
  await send(requestOf())
  const exchange = seen[1]
  expect(exchange).toMatchObject({ method: 'POST', secretBody: true })
  expect(exchange?.url.href).toBe('https://auth.example/token')
  expect(`${await exchange?.body?.open()}`).toBe(
    'grant_type=refresh_token&refresh_token=canary%26%3D&client_id=regctl&service=s&scope=repository%3Aa%3Apull',
  )
  expect(seen[2]?.headers.authorization).toBe('Bearer t')
})

test('R126: a registry token is sent as it is', async () => {
  const { send, seen } = authenticate([challenge(), { status: 200 }], {
    kind: 'registry-token',
    token: 'r',
    from: '',
  })
  await send(requestOf())
  expect(seen.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer r'])
})

test('R95, R96, R109: a token is renewed before it runs out, and lives for a minute at least', async () => {
  const { send, seen, clock } = authenticate([
    challenge(),
    token('one', ',"expires_in":1'),
    { status: 200 },
    { status: 200 },
    token('two', ',"expires_in":300'),
    { status: 200 },
  ])
  await send(requestOf())
  clock.now = 50_000
  await send(requestOf())
  clock.now = 55_000
  await send(requestOf())
  expect(seen.map(({ headers }) => headers.authorization)).toEqual([
    undefined,
    undefined,
    'Bearer one',
    'Bearer one',
    undefined,
    'Bearer two',
  ])
})

test('R108: a wider token is asked for with the scopes of both', async () => {
  const { send, seen } = authenticate([
    challenge(),
    token('one'),
    challenge(',scope="repository:a:push",error="insufficient_scope"'),
    token('two'),
    { status: 200 },
  ])
  expect((await send(requestOf())).status).toBe(200)
  expect(seen[3]?.url.searchParams.getAll('scope')).toEqual(['repository:a:pull,push'])
})

test('a server that asks for ever more is left after three requests', async () => {
  const scopes = [1, 2, 3, 4].flatMap(count => [
    challenge(`,scope="repository:x${count}:pull"`),
    token(`${count}`),
  ])
  const { send, seen } = authenticate(scopes)
  expect((await send(requestOf())).status).toBe(401)
  expect(seen.filter(({ url }) => url.host === 'r.example')).toHaveLength(3)
})

test('R93: a Basic challenge after a Bearer one does not send the password', async () => {
  const basic = { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }
  const { send, seen } = authenticate([challenge(), token('one'), basic], ada)
  expect((await send(requestOf())).status).toBe(401)
  const toRegistry = seen.filter(({ url }) => url.host === 'r.example')
  expect(toRegistry.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer one'])
})

test('R217: does not send the password to a realm in clear text', async () => {
  const unsafe = { status: 401, headers: { 'www-authenticate': 'Bearer realm="http://auth.example/token"' } }
  const { send, seen } = authenticate([unsafe], ada)
  await expect(send(requestOf())).rejects.toMatchObject({ code: 'unsafe-url' })
  expect(seen).toHaveLength(1)
})

test('R222, R236: a token or a user name that would break a header is refused', async () => {
  const broken = authenticate([challenge(), { status: 200, body: '{"token":"a\\r\\nx: y"}' }])
  await expect(broken.send(requestOf())).rejects.toThrow('the token is not one line of visible ASCII')
  const colon = authenticate([challenge()], { ...ada, username: 'a:b' })
  await expect(colon.send(requestOf())).rejects.toMatchObject({ kind: 'denied', code: 'bad-credential' })
})

test('R120: spells the right to delete in three ways for a token server that refuses it', async () => {
  const scopes = [{ resource: 'repository:a', actions: ['delete', 'pull', 'push'] }]
  const { send, seen } = authenticate([
    challenge(),
    { status: 400 },
    { status: 400 },
    token('t'),
    { status: 202 },
  ])
  expect((await send(requestOf({ method: 'DELETE', scopes }))).status).toBe(202)
  expect(seen.slice(1, 4).map(({ url }) => url.searchParams.get('scope'))).toEqual([
    'repository:a:delete,pull,push',
    'repository:a:*',
    'repository:a:pull,push',
  ])
})

test('R92: a relative realm belongs to the registry', async () => {
  const relative = { status: 401, headers: { 'www-authenticate': 'Bearer realm="/token?x=1"' } }
  const { send, seen } = authenticate([relative, token('t'), { status: 200 }])
  await send(requestOf())
  expect(seen[1]?.url.href).toContain('https://r.example/token?x=1&scope=')
})

test('R91: a service may be missing, and the scope of a ping is a placeholder', async () => {
  const registry = authenticate([
    { status: 401 },
    {
      status: 401,
      headers: { 'www-authenticate': `Bearer realm="${REALM}",scope="repository:user/image:pull"` },
    },
    token('t'),
    { status: 200 },
  ])
  expect((await registry.send(requestOf())).status).toBe(200)
  expect(registry.seen.map(({ method, url }) => `${method} ${url.pathname}${url.search}`)).toEqual([
    'GET /v2/a/blobs/x',
    'GET /v2/',
    'GET /token?scope=repository%3Aa%3Apull&client_id=regctl',
    'GET /v2/a/blobs/x',
  ])
})

test('R90: a challenge with an answer that is no refusal is let be', async () => {
  const headers = { 'www-authenticate': `bearer realm="${REALM}"` }
  const { send, seen } = authenticate([{ status: 200, headers }], ada)
  await send(requestOf())
  await send(requestOf())
  expect(seen.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined])
})

test('R89: the first challenge that is known is answered, Bearer before Basic', async () => {
  const headers = {
    'www-authenticate': ['Negotiate', `Basic, Bearer realm="${REALM}"`] as unknown as string,
  }
  const { send, seen } = authenticate([{ status: 401, headers }, token('t'), { status: 200 }], ada)
  await send(requestOf())
  expect(seen[2]?.headers.authorization).toBe('Bearer t')
})

test.each([['Negotiate'], ['Bearer realm="open'], ['Bearer service="without realm"']])(
  'R88, R89: a challenge that nobody can answer is shown: %s',
  async header => {
    const { send, seen } = authenticate([{ status: 401, headers: { 'www-authenticate': header } }], ada)
    await expect(send(requestOf())).rejects.toMatchObject({
      kind: 'denied',
      code: 'unknown-challenge',
      message: `test of r.example/a failed: the registry asks for a login that regctl does not know: GET r.example/v2/a/blobs/x answered 401 with WWW-Authenticate: ${header}`,
    })
    expect(seen).toHaveLength(1)
  },
)

test('R3: a 401 without a challenge, there and at a ping, is returned', async () => {
  const { send, seen } = authenticate([{ status: 401 }], ada)
  expect((await send(requestOf())).status).toBe(401)
  expect(seen).toHaveLength(2)
})

test('R112: Basic goes with every request, and there is no token', async () => {
  const aws: Credential = { kind: 'password', username: 'AWS', password: 'x'.repeat(2000), from: 'test' }
  const headers = { 'www-authenticate': 'Basic realm="https://1.dkr.ecr.eu-west-1.amazonaws.com/"' }
  const { send, seen } = authenticate([{ status: 401, headers }, { status: 200 }], aws)
  for (const path of ['a', 'b', 'c']) {
    const scopes = [{ resource: `repository:${path}`, actions: ['pull'] }]
    await send(requestOf({ scopes }))
  }
  const header = `Basic ${Buffer.from(`AWS:${'x'.repeat(2000)}`).toString('base64')}`
  expect(seen.map(({ headers }) => headers.authorization)).toEqual([undefined, header, header, header])
})

test('R110: neither 403 nor 401 to a login has the request sent without it', async () => {
  for (const status of [401, 403]) {
    const registry = fakeTokenRegistry({ credential: ada, onRequest: () => ({ status }) })
    expect(await registry.ask()).toMatchObject({ status, credentialFrom: 'the test' })
    expect(registry.authorizations()).toEqual([undefined, 'Bearer t1'])
  }
})

describe('R96: a fresh token that is refused has a hint where clocks differ', () => {
  const at = (minutes: number) => new Date(minutes * 60_000).toUTCString()
  test.each([
    [0, 0, undefined],
    [10, 10, 'The clock of this machine is 10 minutes behind that of r.example: set it right'],
    [-10, -10, 'The clock of this machine is 10 minutes ahead of that of r.example: set it right'],
    [
      0,
      5,
      'The clocks of r.example and of its token server auth.example are 5 minutes apart: set them right',
    ],
  ])('the registry %i minutes ahead, its token server %i', async (registryAhead, serverAhead, hint) => {
    const registry = fakeTokenRegistry({
      onToken: () => ({ status: 200, headers: { date: at(serverAhead) }, body: '{"token":"t"}' }),
      onRequest: () => ({ status: 401, headers: { date: at(registryAhead) } }),
    })
    expect((await registry.ask()).hint).toBe(hint)
  })
})
