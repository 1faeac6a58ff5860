import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import {
  BASIC,
  BYTES,
  blobFrom,
  CANARY,
  canary,
  clientOf,
  DESCRIPTOR,
  MANIFEST,
  MANIFEST_HEADERS,
} from '../../test/support/registry-fixtures.js'
import { answer, refusal, startScripted } from '../../test/support/scripted-server.js'
import { digestOf } from '../content/digest.js'
import { readLimited } from '../content/verify.js'

test('R209, R210: follows a redirect to another port without the password, and never logs it', async () => {
  await using store = await startScripted([[/./, answer(200, {}, BYTES)]])
  await using server = await startScripted([
    [
      /^GET /,
      answer(401, { 'www-authenticate': 'Basic realm="x"' }),
      answer(307, { location: `http://${store.host}/o?X-Amz-Signature=${CANARY}` }),
    ],
  ])
  const { client, context, lines } = clientOf({ credentials: canary })
  await using _ = client
  const body = await client.repository(server.host, 'a').openBlob(DESCRIPTOR, context)
  expect(await readLimited(body, 100, 'blob')).toEqual(BYTES)
  expect(server.seen[1]?.headers.authorization).toBe(BASIC)
  expect(store.seen[0]?.headers).not.toHaveProperty('authorization')
  expect(lines.join('\n')).toContain(`GET http://${store.host}/o 200`)
  expect(lines.join('\n')).not.toContain(CANARY)
})

test('R45, R211: uploads to another origin without the password, and does not log in there', async () => {
  await using store = await startScripted([
    [/./, answer(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/token"' })],
  ])
  await using server = await startScripted([
    [
      /^POST /,
      answer(401, { 'www-authenticate': 'Basic' }),
      answer(202, { location: `http://${store.host}/u` }),
    ],
  ])
  const { client, context } = clientOf({ credentials: canary })
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const error = await repository.putBlob(blobFrom(repository), context).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ kind: 'denied', status: 401 })
  for (const { headers } of store.seen) expect(headers).not.toHaveProperty('authorization')
  expect(`${error} ${JSON.stringify(error)}`).not.toContain(CANARY)
})

test('R94, R102, R104: gets one token for many requests, for no more than it needs', async () => {
  await using tokens = await startScripted([[/./, answer(200, {}, '{"token":"t1"}')]])
  const challenge = `Bearer realm="http://${tokens.host}/token?x=1",service="s",scope="repository:a:pull"`
  await using server = await startScripted([
    [
      /./,
      (request, response) => {
        if (request.headers.authorization === 'Bearer t1')
          response.writeHead(200, MANIFEST_HEADERS).end(MANIFEST.bytes)
        else response.writeHead(401, { 'www-authenticate': challenge }).end()
      },
    ],
  ])
  const { client, context } = clientOf({ credentials: canary })
  await using _ = client
  const repository = client.repository(server.host, 'a')
  for (const count of [1, 10]) {
    const pulls = Array.from({ length: count }, () => repository.getManifest('1', context))
    expect(
      (await Promise.all(pulls)).every(({ descriptor }) => descriptor.digest === MANIFEST.descriptor.digest),
    ).toBe(true)
  }
  expect(tokens.lines()).toEqual(['GET /token?x=1&service=s&scope=repository%3Aa%3Apull&client_id=regctl'])
  expect(tokens.seen[0]?.headers.authorization).toBe(BASIC)
  expect(server.seen.map(({ headers }) => headers.authorization)).not.toContain(BASIC)
})

test('R108: asks once for a wider token, then says that access is denied', async () => {
  await using tokens = await startScripted([[/./, answer(200, {}, '{"token":"narrow"}')]])
  const wider = `Bearer realm="http://${tokens.host}/token",scope="repository:a:pull repository:b:pull",error="insufficient_scope"`
  await using server = await startScripted([[/./, answer(401, { 'www-authenticate': wider })]])
  const { client, context } = clientOf()
  await using _ = client
  await expect(client.repository(server.host, 'a').getManifest('1', context)).rejects.toMatchObject({
    kind: 'denied',
    message: expect.stringContaining('repository not found or access denied: GET'),
    hint: `Log in with \`regctl login ${server.host}\`, or give \`--username\` and \`--password-stdin\``,
  })
  expect(tokens.lines()).toHaveLength(1)
  expect(server.lines()).toHaveLength(2)
})

test('R101: says that the token server refused the login, without the password', async () => {
  await using tokens = await startScripted([[/./, answer(401, {}, `{"details":"incorrect ${BASIC}"}`)]])
  const challenge = `Bearer realm="http://${tokens.host}/token"`
  await using server = await startScripted([[/./, answer(401, { 'www-authenticate': challenge })]])
  const { client, context, lines } = clientOf({ credentials: canary })
  await using _ = client
  const error = await client
    .repository(server.host, 'a')
    .getManifest('1', context)
    .catch((reason: unknown) => reason)
  expect(error).toMatchObject({
    kind: 'denied',
    message: `pull of manifest ${server.host}/a:1 failed: the login from the test was refused: GET ${tokens.host}/token answered 401 (incorrect Basic [redacted])`,
  })
  expect(lines.join()).not.toContain(BASIC)
})

test('R3: asks for a challenge by a ping when a 401 has none', async () => {
  await using server = await startScripted([
    [/^GET \/v2\/$/, answer(401, { 'www-authenticate': 'basic realm=x' })],
    [/./, answer(401), answer(200, MANIFEST_HEADERS, MANIFEST.bytes)],
  ])
  const { client, context } = clientOf({ credentials: canary })
  await using _ = client
  await client.repository(server.host, 'a').getManifest('1', context)
  expect(server.lines()).toEqual(['GET /v2/a/manifests/1', 'GET /v2/', 'GET /v2/a/manifests/1'])
})

test('R198: waits as long as Retry-After says, and reports it', async () => {
  await using server = await startScripted([
    [/./, answer(429, { 'retry-after': '7' }), answer(200, MANIFEST_HEADERS, MANIFEST.bytes)],
  ])
  const { client, context, delays, events } = clientOf()
  await using _ = client
  await client.repository(server.host, 'a').getManifest('1', context)
  expect(delays).toEqual([7000])
  expect(events).toMatchObject([{ type: 'retrying', cause: 'answered 429', attempt: 1, delayMs: 7000 }])
})

test('R197: fails at once when the registry asks to wait for hours', async () => {
  await using server = await startScripted([
    [/./, answer(429, { 'retry-after': '20000' }, 'Too Many Requests')],
  ])
  const { client, context, delays } = clientOf()
  await using _ = client
  await expect(client.repository(server.host, 'a').getManifest('1', context)).rejects.toMatchObject({
    kind: 'network',
    code: 'rate-limited',
    message: expect.stringContaining('answered 429 (Too Many Requests)'),
  })
  expect(delays).toEqual([])
})

test('R35, R36: throws the start away when the range is ignored, and refuses another range', async () => {
  await using server = await startScripted([
    [/./, answer(200, {}, BYTES), answer(206, { 'content-range': `bytes 3-19/20` }, BYTES.subarray(3))],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const rest = await readLimited(await repository.openBlob(DESCRIPTOR, context, 4), 100, 'blob')
  expect(rest).toEqual(BYTES.subarray(4))
  expect(server.seen[0]?.headers.range).toBe('bytes=4-')
  await expect(repository.openBlob(DESCRIPTOR, context, 4)).rejects.toMatchObject({ code: 'bad-range' })
})

test('R15: passes a warning on once', async () => {
  const headers = { ...MANIFEST_HEADERS, warning: '299 - "ends \\"soon\\""' }
  await using server = await startScripted([[/./, answer(200, headers, MANIFEST.bytes)]])
  const { client, context, events } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  for (let times = 0; times < 2; times++) await repository.getManifest('1', context)
  expect(events).toEqual([{ type: 'warning', message: `${server.host}: ends "soon"` }])
})

test('R216: refuses a redirect to the address of a cloud metadata service', async () => {
  await using server = await startScripted([
    [/./, answer(307, { location: 'http://169.254.169.254/latest' })],
  ])
  const { client, context } = clientOf()
  await using _ = client
  await expect(client.repository(server.host, 'a').openBlob(DESCRIPTOR, context)).rejects.toMatchObject({
    code: 'unsafe-url',
    message: expect.stringContaining('169.254.169.254/latest is an internal address on another host'),
  })
})

test('R5: refuses to turn an upload into a GET', async () => {
  await using server = await startScripted([[/^POST/, answer(301, { location: '/elsewhere' })]])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  await expect(repository.putBlob(blobFrom(repository), context)).rejects.toMatchObject({
    code: 'redirected-upload',
  })
  expect(server.lines()).toHaveLength(2)
})

test('R237, R256: says that nobody listens at the registry', async () => {
  const server = await startScripted([])
  await server[Symbol.asyncDispose]()
  const { client, context } = clientOf()
  await using _ = client
  await expect(client.repository(server.host, 'a').getManifest('1', context)).rejects.toMatchObject({
    kind: 'network',
    code: 'connection-refused',
    message: expect.stringContaining(`GET ${server.host}/v2/ failed: connection refused`),
  })
})

test('R9, R10: a repository that is unknown is told like one that may not be seen', async () => {
  await using server = await startScripted([[/./, refusal(404, 'NAME_UNKNOWN', 'not known')]])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const text = expect.stringContaining('repository not found or access denied')
  const listing = async () => {
    for await (const _tag of repository.listTags(context));
  }
  await expect(listing()).rejects.toMatchObject({ kind: 'denied', message: text })
  await expect(repository.getManifest('1', context)).rejects.toMatchObject({
    kind: 'not-found',
    message: text,
  })
})

test('R236: more than a token is not read from a token server', async () => {
  const body = JSON.stringify({ token: 'x'.repeat(10 * 1024 * 1024) })
  await using server = await startScripted([
    [/^GET \/token/, answer(200, { 'content-type': 'application/json' }, body)],
    [/./, answer(401, { 'www-authenticate': 'Bearer realm="/token",service="s"' })],
  ])
  const { client, context } = clientOf()
  await using _ = client
  await expect(client.repository(server.host, 'a').getManifest('1', context)).rejects.toMatchObject({
    kind: 'network',
    code: 'token-server',
    message: `pull of manifest ${server.host}/a:1 failed: the token server answered with more than 1 MiB: GET ${server.host}/token answered 200`,
  })
})

test('R95, R108: tokens that run out after a second are replaced in time for each request', async () => {
  let issued = 0
  let last = ''
  const uses = new Map<string, number>()
  await using server = await startScripted([
    [
      /^GET \/token/,
      (_request, response) => {
        last = `t${++issued}`
        response.end(JSON.stringify({ token: last, expires_in: 1 }))
      },
    ],
    [
      /./,
      ({ headers }, response) => {
        const count = uses.get(headers.authorization ?? '') ?? 0
        uses.set(headers.authorization ?? '', count + 1)
        // Each token runs out after one request.
        if (headers.authorization === `Bearer ${last}` && count === 0)
          response.writeHead(200, MANIFEST_HEADERS).end(MANIFEST.bytes)
        else
          response
            .writeHead(401, {
              'www-authenticate': 'Bearer realm="/token",service="s",error="invalid_token"',
            })
            .end()
      },
    ],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  for (let times = 0; times < 3; times++) await repository.getManifest('1', context)
  expect(issued).toBe(3)
})

test.each([
  ['with its size', { 'content-length': '300000' }, 'exists', 0],
  ['without a size', { 'transfer-encoding': 'chunked' }, 'exists', 0],
  ['with another size', { 'content-length': '7' }, 'copied', 1],
])('R61: a blob that is there %s', async (_how, headers, result, warnings) => {
  const bytes = Buffer.alloc(300_000)
  const descriptor = { ...DESCRIPTOR, digest: digestOf(bytes), size: bytes.length }
  await using server = await startScripted([
    [/^HEAD /, answer(200, headers)],
    [/^POST /, answer(202, { location: '/u' })],
    [/^PUT /, answer(201)],
  ])
  const { client, context, events } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const blob = { descriptor, origin: repository, open: async () => Readable.from([bytes]) }
  expect(await repository.putBlob(blob, context)).toBe(result)
  const said = events.flatMap(event => (event.type === 'warning' ? [event.message] : []))
  expect(said).toEqual(
    Array.from({ length: warnings }, () =>
      expect.stringContaining('with 7 bytes instead of 300000; it is sent again'),
    ),
  )
})
