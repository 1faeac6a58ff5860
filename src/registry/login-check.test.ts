import { expect, test } from 'vitest'
import { BASIC, CANARY, canary, clientOf } from '../../test/support/registry-fixtures.js'
import { type Answer, answer, startScripted } from '../../test/support/scripted-server.js'
import type { Credential } from '../credentials/credential-store.js'

const ada: Credential = { kind: 'password', username: 'ada', password: CANARY, from: 'this login' }
const token: Credential = { kind: 'identity-token', token: CANARY, from: 'this login' }
const basic = answer(401, { 'www-authenticate': 'Basic realm="x"' })
const bearer = (host: string): Answer =>
  answer(401, {
    'www-authenticate': `Bearer realm="http://${host}/token",service="s",scope="repository:a:pull"`,
  })

test('is not asked for a credential where the registry needs none', async () => {
  await using server = await startScripted([[/./, answer(200, {}, '{}')]])
  const { client, context } = clientOf({ credentials: canary })
  await using _ = client
  const ask = async () => {
    throw new Error('asked in vain')
  }
  expect(await client.checkLogin(server.host, ask, context)).toEqual({ outcome: 'not-needed' })
  expect(server.lines()).toEqual(['GET /v2/'])
})

test('R90: an open registry that offers a login has it tried', async () => {
  const headers = { 'www-authenticate': 'Basic realm="x"' }
  await using server = await startScripted([[/./, answer(200, headers), answer(401, headers)]])
  const { client, context } = clientOf()
  await using _ = client
  await expect(client.checkLogin(server.host, async () => ada, context)).rejects.toMatchObject({
    kind: 'denied',
    message: expect.stringContaining('wrong user name or password'),
  })
})

test('answers Basic with what it is given, and not with what the client has', async () => {
  await using server = await startScripted([[/./, basic, answer(200)]])
  const other: Credential = { kind: 'password', username: 'other', password: 'x', from: 'x' }
  const { client, context, lines } = clientOf({ credentials: { find: async () => other } })
  await using _ = client
  expect(await client.checkLogin(server.host, async () => ada, context)).toEqual({ outcome: 'accepted' })
  expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, BASIC])
  expect(lines.join('\n')).not.toContain(CANARY)
})

test('R91, R99: asks a token server for nothing but an identity token, and hands that on', async () => {
  await using tokens = await startScripted([[/./, answer(200, {}, '{"token":"t","refresh_token":"keep"}')]])
  await using server = await startScripted([[/./, bearer(tokens.host), answer(200)]])
  const { client, context, lines } = clientOf()
  await using _ = client
  const check = await client.checkLogin(server.host, async () => ada, context)
  expect(check).toEqual({ outcome: 'accepted', identityToken: 'keep' })
  expect(tokens.lines()).toEqual(['GET /token?offline_token=true&service=s&client_id=regctl'])
  expect(tokens.seen[0]?.headers.authorization).toBe(BASIC)
  expect(server.seen[1]?.headers.authorization).toBe('Bearer t')
  expect(lines.join('\n')).not.toMatch(/keep|canary/)
})

test('R99: a token server that breaks at the wish for an identity token is asked without it', async () => {
  await using tokens = await startScripted([
    [/offline_token/, answer(400)],
    [/./, answer(200, {}, '{"token":"t"}')],
  ])
  await using server = await startScripted([[/./, bearer(tokens.host), answer(200)]])
  const { client, context } = clientOf()
  await using _ = client
  expect(await client.checkLogin(server.host, async () => ada, context)).toEqual({ outcome: 'accepted' })
})

test('R101: a token server that refuses is asked once, and its words do not repeat the password', async () => {
  await using tokens = await startScripted([[/./, answer(401, {}, `{"details":"bad ${CANARY}"}`)]])
  await using server = await startScripted([[/./, bearer(tokens.host), answer(200)]])
  const { client, context } = clientOf()
  await using _ = client
  const failure = client.checkLogin(server.host, async () => ada, context)
  await expect(failure).rejects.toMatchObject({
    kind: 'denied',
    message: `login to ${server.host} failed: wrong user name or password: GET ${tokens.host}/token answered 401`,
    hint: expect.stringContaining('access token'),
  })
  expect(tokens.lines()).toHaveLength(1)
  expect(server.lines()).toHaveLength(1)
})

test('R97: an identity token is exchanged, and the one that comes in its place handed on', async () => {
  await using tokens = await startScripted([
    [/./, answer(200, {}, '{"access_token":"t","refresh_token":"new"}')],
  ])
  await using server = await startScripted([[/./, bearer(tokens.host), answer(200)]])
  const { client, context } = clientOf()
  await using _ = client
  const check = await client.checkLogin(server.host, async () => token, context)
  expect(check).toEqual({ outcome: 'accepted', identityToken: 'new' })
  expect(tokens.lines()).toEqual(['POST /token'])
})

test.each([
  ['an identity token where passwords are wanted', basic, token, 'it takes no tokens, but passwords'],
  [
    'a kind of login that it does not know',
    answer(401, { 'www-authenticate': 'Negotiate' }),
    ada,
    'it asks for a kind of login that regctl does not know',
  ],
])('refuses %s', async (_what, response, credential, reason) => {
  await using server = await startScripted([[/./, response]])
  const { client, context } = clientOf()
  await using _ = client
  await expect(client.checkLogin(server.host, async () => credential, context)).rejects.toMatchObject({
    kind: 'denied',
    message: expect.stringContaining(reason),
  })
  expect(server.lines()).toHaveLength(1)
})

test('R211: a challenge of another host is not answered', async () => {
  await using other = await startScripted([[/./, basic]])
  await using server = await startScripted([[/./, answer(307, { location: `http://${other.host}/v2/` })]])
  const { client, context } = clientOf()
  await using _ = client
  await expect(client.checkLogin(server.host, async () => ada, context)).rejects.toMatchObject({
    code: 'not-a-registry',
  })
  expect(other.seen.map(({ headers }) => headers.authorization)).toEqual([undefined])
})
