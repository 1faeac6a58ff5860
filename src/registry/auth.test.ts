import { expect, test } from 'vitest'
import { type FakeAnswer, fakeSender, requestOf } from '../../test/support/fake-sender.js'
import type { Credential } from '../credentials/credential-store.js'
import { Authenticator } from './auth.js'

const policy = { isInsecure: () => false, allowInternal: false }
const ada: Credential = { kind: 'password', username: 'ada', password: 'p:w', from: 'test' }
const challenge = (more = '') => ({
  status: 401,
  headers: { 'www-authenticate': `Bearer realm="https://auth.example/token",service="s"${more}` },
})
const token = (value: string, more = '') => ({ status: 200, body: `{"token":"${value}"${more}}` })

function authenticate(answers: FakeAnswer[], credential?: Credential) {
  const { send, seen } = fakeSender(...answers)
  const clock = { now: 0 }
  const authenticator = new Authenticator(send, { find: async () => credential }, policy, () => clock.now)
  return { send: authenticator.send, seen, clock }
}

test('no credentials are looked up until a registry asks for them, and then once', async () => {
  const { send } = fakeSender({ status: 200 }, challenge(), token('t'), { status: 200 }, { status: 200 })
  let asked = 0
  const find = async () => {
    asked++
    return ada
  }
  const authenticator = new Authenticator(send, { find }, policy, () => 0)
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
    'grant_type=refresh_token&client_id=regctl&service=s&scope=repository%3Aa%3Apull&refresh_token=canary%26%3D',
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
