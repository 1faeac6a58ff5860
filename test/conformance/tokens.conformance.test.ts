import bcrypt from 'bcryptjs'
import { afterEach, describe, expect, test } from 'vitest'
import { Htpasswd } from '../../src/server/htpasswd.js'
import type { TokenOptions } from '../../src/server/tokens/token-authenticator.js'
import { noise } from '../contract/store-fixtures.js'
import { KINDS, type RunningRegistry, startRegistry } from './collections.js'
import { pushImage } from './images.js'
import { errorCodeOf, type RawClient, type RawResponse } from './raw-client.js'

const htpasswd = Htpasswd.parse(`ann:${bcrypt.hashSync('pass', 4)}\n`, 'the test')
const ann = { Authorization: `Basic ${Buffer.from('ann:pass').toString('base64')}` }
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
const form = (fields: Record<string, string>) => ({
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  body: Buffer.from(`${new URLSearchParams(fields)}`),
})

let registry: RunningRegistry | undefined
async function start(tokens: TokenOptions = {}): Promise<RawClient> {
  registry = await startRegistry(undefined, { htpasswd, tokens })
  return registry.client
}
afterEach(async () => {
  await registry?.stop()
  registry = undefined
})

/** Asks for a token by GET, and gives the answer. */
async function get(client: RawClient, scopes: string[], headers: Record<string, string> = ann) {
  const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]))
  const answer = await client.send('GET', `/token?service=regctl&${query}`, { headers })
  return { ...answer, json: JSON.parse(`${answer.body}`) }
}

async function post(client: RawClient, fields: Record<string, string>) {
  const answer = await client.send('POST', '/token', form(fields))
  return { ...answer, json: JSON.parse(`${answer.body}`) }
}

const challengeOf = (answer: RawResponse) => answer.headers['www-authenticate']

describe('the challenge', () => {
  test.each([
    ['GET', '/v2/', undefined],
    ['GET', '/elsewhere', undefined],
    ['GET', '/v2/_catalog', 'registry:catalog:*'],
    ['GET', '/v2/team/a/manifests/latest', 'repository:team/a:pull'],
    ['HEAD', '/v2/team/a/blobs/sha256:00', 'repository:team/a:pull'],
    ['GET', '/v2/a/tags/list', 'repository:a:pull'],
    ['GET', '/v2/a/referrers/sha256:00', 'repository:a:pull'],
    ['PUT', '/v2/a/manifests/latest', 'repository:a:pull,push'],
    ['POST', '/v2/a/blobs/uploads/', 'repository:a:pull,push'],
    ['GET', '/v2/a/blobs/uploads/1', 'repository:a:pull,push'],
    ['DELETE', '/v2/a/blobs/uploads/1', 'repository:a:pull,push'],
    ['POST', '/v2/a/blobs/uploads/?mount=x&from=team/b', 'repository:a:pull,push repository:team/b:pull'],
    ['DELETE', '/v2/a/manifests/latest', 'repository:a:delete'],
    ['DELETE', '/v2/a/blobs/sha256:00', 'repository:a:delete'],
  ])('of %s %s asks for %s', async (method, path, scope) => {
    const client = await start()
    const answer = await client.send(method, path, { headers: { Host: 'registry.example.com:5000' } })
    const wanted = scope === undefined ? '' : `,scope="${scope}"`
    expect([answer.status, challengeOf(answer)]).toEqual([
      401,
      `Bearer realm="http://registry.example.com:5000/token",service="regctl"${wanted}`,
    ])
    if (method !== 'HEAD') expect(errorCodeOf(answer)).toBe('UNAUTHORIZED')
  })

  test('names where the server listens when the client says a host that is none', async () => {
    const client = await start()
    const headers = { Host: 'a"b.example' }
    expect(challengeOf(await client.send('GET', '/v2/', { headers }))).toContain(
      `realm="${client.origin}/token"`,
    )
  })

  test('says what is wrong with a token', async () => {
    const client = await start()
    const unknown = await client.send('GET', '/v2/', { headers: bearer('a.b.c') })
    expect([unknown.status, challengeOf(unknown)]).toEqual([
      401,
      expect.stringMatching(/,error="invalid_token"$/),
    ])
    const { json } = await get(client, ['repository:a:pull'])
    const small = await client.send('PUT', '/v2/a/manifests/1', { headers: bearer(json.token) })
    expect([small.status, challengeOf(small)]).toEqual([
      401,
      expect.stringMatching(/,scope="repository:a:pull,push",error="insufficient_scope"$/),
    ])
    const password = await client.send('GET', '/v2/', { headers: ann })
    expect([password.status, challengeOf(password)]).toEqual([
      401,
      expect.stringMatching(/service="regctl"$/),
    ])
  })
})

describe('a token by GET', () => {
  test('has both of its names, a lifetime and no refresh token', async () => {
    const client = await start({ lifetimeSeconds: 120, now: () => Date.UTC(2030, 0, 1) })
    const { status, headers, json } = await get(client, ['repository:a:pull', 'repository:b:pull,push'])
    expect([status, headers['cache-control']]).toEqual([200, 'no-store'])
    expect(json).toEqual({
      token: json.access_token,
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      expires_in: 120,
      issued_at: '2030-01-01T00:00:00.000Z',
      scope: 'repository:a:pull repository:b:pull,push',
    })
  })

  test.each([
    ['an action that is none', ['repository:a:pull,fly'], 'repository:a:pull'],
    ['a class', ['repository(plugin):a:pull'], 'repository:a:pull'],
    [
      'several in one parameter',
      ['repository:a:pull registry:catalog:*'],
      'repository:a:pull registry:catalog:*',
    ],
    ['what is no repository', ['repository:A:pull', 'robot:a:pull', 'nonsense', 'repository:../a:pull'], ''],
  ])('is for no more than there is: %s', async (_what, scopes, granted) => {
    const { status, json } = await get(await start(), scopes)
    expect([status, json.scope]).toEqual([200, granted])
  })

  test('is refused to who is unknown, and to who gives a wrong password though anybody may pull', async () => {
    const client = await start({ anonymous: 'pull' })
    const wrong = { Authorization: `Basic ${Buffer.from('ann:wrong').toString('base64')}` }
    for (const headers of [wrong, { Authorization: 'Basic %%%' }]) {
      const answer = await get(client, ['repository:a:pull'], headers)
      expect([answer.status, challengeOf(answer)]).toEqual([401, 'Basic realm="regctl", charset="UTF-8"'])
    }
    await registry?.stop()
    expect((await get(await start(), ['repository:a:pull'], {})).status).toBe(401)
  })

  test('is refused for another service, and by other methods', async () => {
    const client = await start()
    const other = await client.send('GET', '/token?service=other', { headers: ann })
    expect([other.status, `${other.body}`]).toEqual([
      400,
      expect.stringContaining('the service \\"regctl\\" only'),
    ])
    const put = await client.send('PUT', '/token')
    expect([put.status, put.headers.allow]).toEqual([405, 'GET, POST'])
  })

  test('lets somebody without a name pull, and nothing else', async () => {
    const client = await start({ anonymous: 'pull' })
    const { json } = await get(client, ['repository:a:pull,push,delete', 'registry:catalog:*'], {})
    expect(json.scope).toBe('repository:a:pull')
    const headers = bearer(json.token)
    expect((await client.send('GET', '/v2/', { headers })).status).toBe(200)
    expect((await client.send('GET', '/v2/a/tags/list', { headers })).status).toBe(404)
    for (const [method, path] of [
      ['GET', '/v2/b/tags/list'],
      ['GET', '/v2/_catalog'],
      ['POST', '/v2/a/blobs/uploads/'],
      ['DELETE', '/v2/a/manifests/1'],
    ] as const)
      expect([path, (await client.send(method, path, { headers })).status]).toEqual([path, 401])
    expect((await post(client, { grant_type: 'password', username: '', password: '' })).status).toBe(401)
  })
})

describe('a token by POST', () => {
  const password = {
    grant_type: 'password',
    username: 'ann',
    password: 'pass',
    service: 'regctl',
    client_id: 'x',
  }

  test('is given for a password, and a refresh token when it is asked for', async () => {
    const client = await start()
    const scope = 'repository:a:pull,push repository:b:pull'
    const plain = await post(client, { ...password, scope })
    expect([plain.status, plain.json.scope, plain.json.refresh_token, plain.json.token]).toEqual([
      200,
      scope,
      undefined,
      undefined,
    ])
    const offline = await post(client, { ...password, scope, access_type: 'offline' })
    const refresh = {
      grant_type: 'refresh_token',
      service: 'regctl',
      refresh_token: offline.json.refresh_token,
    }
    const again = await post(client, { ...refresh, scope: 'repository:c:delete' })
    expect([again.status, again.json.scope, again.json.refresh_token]).toEqual([
      200,
      'repository:c:delete',
      offline.json.refresh_token,
    ])
    const headers = bearer(again.json.access_token)
    expect((await client.send('DELETE', '/v2/c/manifests/1', { headers })).status).toBe(404)
  })

  test('does not pass for the other kind', async () => {
    const client = await start()
    const { json } = await post(client, { ...password, scope: 'repository:a:pull', access_type: 'offline' })
    expect((await client.send('GET', '/v2/', { headers: bearer(json.refresh_token) })).status).toBe(401)
    const swapped = await post(client, { grant_type: 'refresh_token', refresh_token: json.access_token })
    expect([swapped.status, swapped.json.error]).toEqual([401, 'invalid_grant'])
  })

  test.each([
    ['a wrong password', { ...password, password: 'wrong' }, 401, 'invalid_grant'],
    ['no user', { grant_type: 'password' }, 401, 'invalid_grant'],
    ['another grant', { grant_type: 'client_credentials' }, 400, 'unsupported_grant_type'],
    ['another service', { ...password, service: 'other' }, 400, 'invalid_request'],
    ['a form that is too large', { ...password, scope: 'x'.repeat(70_000) }, 413, 'invalid_request'],
  ])('is refused for %s', async (_what, fields, status, error) => {
    const answer = await post(await start(), fields)
    expect([answer.status, answer.json.error]).toEqual([status, error])
    expect(answer.json.error_description).not.toBe('')
  })

  test('is refused for what is no form', async () => {
    const client = await start()
    const answer = await client.send('POST', '/token', { body: Buffer.from('{}') })
    expect([answer.status, JSON.parse(`${answer.body}`).error]).toEqual([400, 'invalid_request'])
  })
})

describe('a token', () => {
  test('ends with its lifetime', async () => {
    let now = Date.UTC(2030, 0, 1)
    const client = await start({ lifetimeSeconds: 10, now: () => now })
    const headers = bearer((await get(client, [])).json.token)
    now += 9_000
    expect((await client.send('GET', '/v2/', { headers })).status).toBe(200)
    now += 1_000
    const late = await client.send('GET', '/v2/', { headers })
    expect([late.status, challengeOf(late)]).toEqual([401, expect.stringContaining('invalid_token')])
  })

  test('is of no use once it is changed, or without its signature, or at another server', async () => {
    const client = await start()
    const { token } = (await get(client, ['repository:a:pull'])).json
    const [header, payload, signature] = token.split('.')
    const claims = JSON.parse(`${Buffer.from(payload, 'base64url')}`)
    const more = { ...claims, access: [{ type: 'repository', name: 'a', actions: ['*'] }] }
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    for (const changed of [
      `${header}.${encode(more)}.${signature}`,
      `${encode({ typ: 'JWT', alg: 'none' })}.${payload}.`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${token}.x`,
    ])
      expect((await client.send('GET', '/v2/', { headers: bearer(changed) })).status).toBe(401)
    await registry?.stop()
    const second = await start()
    expect((await second.send('GET', '/v2/', { headers: bearer(token) })).status).toBe(401)
  })
})

test('mounts from where the token may pull alone, and finds no blob in other places', async () => {
  registry = await startRegistry(KINDS[0], { htpasswd, tokens: {} })
  const { client } = registry
  const all = (await get(client, ['repository:secret:*', 'repository:open:*'])).json.token
  const bytes = noise(1000, 'mount')
  const digest = await client.as(bearer(all)).putBlob('secret', bytes)
  const small = bearer((await get(client, ['repository:mine:pull,push'])).json.token)
  const mount = (from: string, headers: Record<string, string>) =>
    client.send('POST', `/v2/mine/blobs/uploads/?mount=${digest}${from}`, { headers })
  const refused = await mount('&from=secret', small)
  expect([refused.status, challengeOf(refused)]).toEqual([
    401,
    expect.stringContaining(
      'scope="repository:mine:pull,push repository:secret:pull",error="insufficient_scope"',
    ),
  ])
  expect((await mount('', small)).status).toBe(202)
  const both = (await get(client, ['repository:mine:pull,push', 'repository:secret:pull'])).json.token
  expect((await mount('&from=secret', bearer(both))).status).toBe(201)
})

test('deletes with the right to, which neither pull nor push includes', async () => {
  const client = await start()
  const push = bearer((await get(client, ['repository:a:pull,push'])).json.token)
  const image = await pushImage(client.as(push), 'a', 'delete')
  await client.as(push).putManifest('a', '1', image)
  const remove = (headers: Record<string, string>) => client.send('DELETE', '/v2/a/manifests/1', { headers })
  expect((await remove(push)).status).toBe(401)
  expect((await remove(bearer((await get(client, ['repository:a:delete'])).json.token))).status).toBe(202)
})

test('writes neither tokens nor passwords into the log', async () => {
  const lines: string[] = []
  registry = await startRegistry(undefined, { htpasswd, tokens: {}, log: line => lines.push(line) })
  const { json } = await get(registry.client, ['repository:a:pull'])
  await registry.client.send('GET', '/v2/a/tags/list', { headers: bearer(json.token) })
  expect(lines).toEqual([
    expect.stringMatching(/^GET \/token 200 \d+ms$/),
    expect.stringMatching(/^GET \/v2\/a\/tags\/list 404 \d+ms$/),
  ])
})
