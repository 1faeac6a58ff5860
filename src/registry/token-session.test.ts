import { expect, test } from 'vitest'
import { ada, fakeTokenRegistry, insufficient } from '../../test/support/fake-token-registry.js'

const PULL = 'repository:a:pull'
const PUSH = 'repository:a:pull,push'
const PAIR = `${PUSH} repository:b:pull`

test('R102: asks once for what many requests need at the same time', async () => {
  const registry = fakeTokenRegistry()
  await registry.ask()
  registry.clock.now = 300_000
  await Promise.all(Array.from({ length: 20 }, () => registry.ask()))
  expect(registry.scopes()).toEqual([PULL, PULL])
})

test('R102: a token serves every repository that it was asked for', async () => {
  const registry = fakeTokenRegistry()
  await registry.ask(PAIR)
  await registry.ask('repository:b:pull')
  await registry.ask(PULL)
  expect(registry.scopes()).toEqual([PAIR])
})

test('R107: takes the token with the least rights that will do', async () => {
  const registry = fakeTokenRegistry()
  await registry.ask('repository:b:pull')
  await registry.ask(PAIR)
  await registry.ask('repository:b:pull')
  expect(registry.authorizations().at(-1)).toBe('Bearer t1')
})

test('R107: a run that only reads never asks for the right to write', async () => {
  const registry = fakeTokenRegistry({ credential: ada })
  for (const name of ['a', 'b', 'a']) await registry.ask(`repository:${name}:pull`)
  expect(registry.scopes()).toEqual([PULL, 'repository:b:pull'])
})

test('a run that writes asks once for everything in a repository', async () => {
  const registry = fakeTokenRegistry({ credential: ada })
  await registry.ask(PUSH)
  await registry.ask(PULL)
  await registry.ask(PUSH)
  expect(registry.scopes()).toEqual([PUSH])
})

test.each([
  [59, 54_000],
  [0, 54_000],
  ['300', 54_000],
  [undefined, 54_000],
  [100, 90_000],
  [3600, 3_240_000],
  [1e300, 77_760_000],
])('R95, R96: expires_in %j has it renewed after %i ms', async (lifetime, renewed) => {
  const registry = fakeTokenRegistry({
    // By the server's clock it ran out long ago: ours counts from when it came.
    onToken: (_asked, count) => ({
      status: 200,
      body: JSON.stringify({ token: `t${count}`, expires_in: lifetime, issued_at: '2001-01-01T00:00:00Z' }),
    }),
  })
  await registry.ask()
  registry.clock.now = renewed - 1
  await registry.ask()
  expect(registry.asked).toHaveLength(1)
  registry.clock.now = renewed
  await registry.ask()
  expect(registry.asked).toHaveLength(2)
})

test('R106: a refusal of the pair for a mount leaves the push its own token, and is not asked for again', async () => {
  const registry = fakeTokenRegistry({
    credential: ada,
    onToken: ({ scopes }) => (scopes.length > 1 ? { status: 403 } : undefined),
  })
  await registry.ask(PUSH)
  for (let times = 0; times < 3; times++) {
    await expect(registry.ask(PAIR)).rejects.toMatchObject({ kind: 'denied' })
    expect((await registry.ask(PUSH)).status).toBe(200)
  }
  expect(registry.scopes()).toEqual([PUSH, PAIR])
})

test('R101: a token server that fails may be asked again, one that refuses is not', async () => {
  const answers = [{ status: 503 }, { status: 200, body: '{"token":"t"}' }]
  const failing = fakeTokenRegistry({ onToken: () => answers.shift() })
  await expect(failing.ask()).rejects.toMatchObject({ kind: 'network', code: 'token-server' })
  expect((await failing.ask()).status).toBe(200)
  const refusing = fakeTokenRegistry({ credential: ada, onToken: () => ({ status: 401 }) })
  for (let times = 0; times < 3; times++)
    await expect(refusing.ask()).rejects.toThrow('the login from the test was refused')
  expect(refusing.asked).toHaveLength(1)
  expect(refusing.asked[0]?.authorization).toBe(`Basic ${Buffer.from('ada:p:w').toString('base64')}`)
})

test('R100: a token that holds less than was asked for goes on serving for what it holds', async () => {
  const registry = fakeTokenRegistry({
    onRequest: ({ scopes }, token) =>
      token === 't1' && scopes[0]?.resource === 'repository:b'
        ? insufficient('repository:b:pull')
        : undefined,
  })
  await registry.ask(PAIR)
  expect((await registry.ask('repository:b:pull')).status).toBe(200)
  expect((await registry.ask(PUSH)).status).toBe(200)
  expect(registry.scopes()).toEqual([PAIR, 'repository:b:pull'])
})

test('R108: a token that is no good any more is replaced once', async () => {
  const registry = fakeTokenRegistry({
    onRequest: (_request, token) => (token === 't1' ? insufficient('', 'invalid_token') : undefined),
  })
  await expect(registry.ask()).resolves.toMatchObject({ status: 401 })
  expect((await registry.ask()).status).toBe(200)
  expect(registry.authorizations()).toEqual([undefined, 'Bearer t1', 'Bearer t1', 'Bearer t2'])
})

test('R108: a registry that refuses every token hears no more than one new one for each request', async () => {
  const registry = fakeTokenRegistry({ onRequest: () => insufficient(PULL) })
  expect((await registry.ask()).status).toBe(401)
  expect(registry.asked).toHaveLength(1)
  expect((await registry.ask()).status).toBe(401)
  expect(registry.asked).toHaveLength(2)
})

test('R99: an identity token that the server replaced is not used again, in this run', async () => {
  const registry = fakeTokenRegistry({
    credential: { kind: 'identity-token', token: 'first', from: 'the test' },
    onToken: (_asked, count) => ({
      status: 200,
      body: JSON.stringify({ access_token: `t${count}`, refresh_token: `next${count}` }),
    }),
  })
  await registry.ask()
  await registry.ask('repository:b:pull')
  expect(registry.asked.map(({ form }) => form.get('refresh_token'))).toEqual(['first', 'next1'])
})

test('R99: an identity token goes to the realm that gave it alone', async () => {
  const registry = fakeTokenRegistry({
    credential: { kind: 'identity-token', token: 'first', from: 'the test' },
    onToken: () => ({ status: 200, body: '{"access_token":"t","refresh_token":"next"}' }),
    onRequest: ({ scopes }) =>
      scopes[0]?.resource === 'repository:b'
        ? {
            status: 401,
            headers: { 'www-authenticate': 'Bearer realm="https://other.example/token",service="s"' },
          }
        : undefined,
  })
  await registry.ask()
  await registry.ask('repository:b:pull')
  expect(registry.asked.map(({ url, form }) => [new URL(url).host, form.get('refresh_token')])).toEqual([
    ['auth.example', 'first'],
    ['auth.example', 'next'],
    ['other.example', 'first'],
  ])
})
