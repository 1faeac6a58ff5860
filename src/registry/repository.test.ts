import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import {
  answer,
  hangUp,
  refusal,
  type ScriptedServer,
  startScripted,
} from '../../test/support/scripted-server.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { rawManifest } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import type { BlobContent } from '../content/store.js'
import { readLimited } from '../content/verify.js'
import { anonymous, type CredentialLookup } from '../credentials/credential-store.js'
import { RegistryClient, type RegistryClientOptions } from './client.js'
import type { Repository } from './repository.js'

const CANARY = 'canary-secret'
const canary: CredentialLookup = {
  find: async () => ({ kind: 'password', username: 'ada', password: CANARY, from: 'the test' }),
}
const BASIC = `Basic ${Buffer.from(`ada:${CANARY}`).toString('base64')}`
const BYTES = Buffer.from('the bytes of a layer')
const DIGEST = digestOf(BYTES)
const DESCRIPTOR = { mediaType: MediaType.ociLayer, digest: DIGEST, size: BYTES.length }
const MANIFEST = rawManifest(
  MediaType.ociManifest,
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: { mediaType: MediaType.ociConfig, digest: DIGEST, size: BYTES.length },
      layers: [],
    }),
  ),
)
const MANIFEST_HEADERS = { 'content-type': MediaType.ociManifest }

/** A client whose retries don't wait, with what it logged and reported. */
function clientOf(options: Partial<RegistryClientOptions> = {}) {
  const lines: string[] = []
  const events: CopyEvent[] = []
  const delays: number[] = []
  const client = new RegistryClient({
    credentials: anonymous,
    log: line => lines.push(line),
    ...options,
    retry: { sleep: async delayMs => void delays.push(delayMs), ...options.retry },
  })
  return { client, lines, events, delays, context: createContext({ emit: event => events.push(event) }) }
}

function blobFrom(origin: Repository, open?: () => Readable): BlobContent {
  return {
    descriptor: DESCRIPTOR,
    origin,
    open: async () => open?.() ?? Readable.from([BYTES.subarray(0, 5), BYTES.subarray(5)]),
  }
}

test.each([
  ['absolute', (host: string) => `http://${host}/upload/1?_state=a%2Bb%3D%3D`],
  ['without a host', () => '/upload/1?_state=a%2Bb%3D%3D'],
  ['without a scheme', (host: string) => `${host}/upload/1?_state=a%2Bb%3D%3D`],
  ['with two slashes', (host: string) => `//${host}/upload/1?_state=a%2Bb%3D%3D`],
])('R42, R43: sends the bytes to a Location that is %s, keeping its query', async (_form, location) => {
  await using server: ScriptedServer = await startScripted([
    [/^POST /, (_request, response) => response.writeHead(202, { location: location(server.host) }).end()],
    [/^PUT /, answer(201)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a/b')
  expect(await repository.putBlob(blobFrom(repository), context)).toBe('copied')
  expect(server.lines()).toEqual([
    `HEAD /v2/a/b/blobs/${DIGEST}`,
    'POST /v2/a/b/blobs/uploads/',
    `PUT /upload/1?_state=a%2Bb%3D%3D&digest=${encodeURIComponent(DIGEST)}`,
  ])
  const put = server.seen[2]
  expect(put?.body).toEqual(BYTES)
  expect(put?.headers).toMatchObject({
    'content-length': `${BYTES.length}`,
    'content-type': 'application/octet-stream',
  })
  expect(put?.headers).not.toHaveProperty('content-range')
})

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

test('R240: takes a lost answer to the PUT for done when the blob is there', async () => {
  await using server = await startScripted([
    [/^HEAD /, answer(404), answer(200, { 'content-length': `${BYTES.length}` })],
    [/^POST /, answer(202, { location: '/u' })],
    [/^PUT /, hangUp],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  expect(await repository.putBlob(blobFrom(repository), context)).toBe('copied')
  expect(server.lines().filter(line => line.startsWith('PUT'))).toHaveLength(1)
})

test('R241: starts again at POST when the upload is lost, and tells it', async () => {
  await using server = await startScripted([
    [/^POST /, answer(202, { location: '/u/1' }), answer(202, { location: '/u/2' })],
    [/^PUT \/u\/1/, refusal(404, 'BLOB_UPLOAD_UNKNOWN')],
    [/^PUT \/u\/2/, answer(201)],
  ])
  const { client, context, events } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  expect(await repository.putBlob(blobFrom(repository), context)).toBe('copied')
  expect(events).toEqual([
    expect.objectContaining({ type: 'retrying', attempt: 1, cause: '404 BLOB_UPLOAD_UNKNOWN: refused' }),
  ])
})

test('R241, R59, R256: gives up after three new starts, says how often, and cancels the uploads', async () => {
  await using server = await startScripted([
    [/^POST /, answer(202, { location: '/u?_state=secret' })],
    [/^PUT /, refusal(500, 'UNKNOWN', 'the disk\u001b[2J is full')],
    [/^DELETE /, answer(204)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'x')
  await expect(repository.putBlob(blobFrom(repository), context)).rejects.toMatchObject({
    kind: 'network',
    status: 500,
    codes: ['UNKNOWN'],
    method: 'PUT',
    message: `push of blob ${DIGEST} to ${server.host}/x failed: PUT ${server.host}/u answered 500 (UNKNOWN: the disk [2J is full) after 4 attempts`,
  })
  expect(server.lines().filter(line => line.startsWith('PUT'))).toHaveLength(4)
  expect(server.lines().at(-1)).toBe('DELETE /u?_state=secret')
})

test('R59: cancels the upload and passes the error on when the source fails', async () => {
  await using server = await startScripted([
    [/^POST /, answer(202, { location: '/u' })],
    [/^DELETE /, answer(204)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const failing = () =>
    Readable.from(
      (async function* () {
        yield BYTES.subarray(0, 3)
        throw new Error('the disk is gone')
      })(),
    )
  await expect(repository.putBlob(blobFrom(repository, failing), context)).rejects.toThrow(
    /^the disk is gone$/,
  )
  expect(server.lines()).toContain('DELETE /u')
  expect(server.lines().filter(line => line.startsWith('POST'))).toHaveLength(1)
})

test.each([
  ['mounted', answer(201), 'mounted', ['POST mount']],
  ['answered with an upload', answer(202, { location: '/u' }), 'copied', ['POST mount', 'PUT']],
  ['refused with 401', answer(401), 'copied', ['POST mount', 'POST', 'PUT']],
  ['refused with 500', answer(500), 'copied', ['POST mount', 'POST', 'PUT']],
])('R63, R66: a mount is %s', async (_what, mount, result, steps) => {
  await using server = await startScripted([
    [/^POST .*mount=/, mount],
    [/^POST /, answer(202, { location: '/u' })],
    [/^PUT /, answer(201)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const target = client.repository(server.host, 'target')
  const blob = blobFrom(client.repository(server.host, 'team/source'))
  expect(await target.putBlob(blob, context)).toBe(result)
  const mounts = server.seen.filter(({ path }) => path.includes('mount='))
  expect(mounts[0]?.path).toBe(`/v2/target/blobs/uploads/?mount=${DIGEST}&from=team%2Fsource`)
  const taken = server.lines().filter(line => /^P/.test(line) || line.includes('mount'))
  expect(taken.map(line => `${line.split(' ')[0]}${line.includes('mount=') ? ' mount' : ''}`)).toEqual(steps)
  expect(target.mountedFrom(DIGEST)).toBe(result === 'mounted' ? 'team/source' : undefined)
})

test('mounts from a repository that got the blob earlier in the run', async () => {
  await using server = await startScripted([
    [/^POST .*mount=/, answer(201)],
    [/^POST /, answer(202, { location: '/u' })],
    [/^PUT /, answer(201)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  await using elsewhere = new RegistryClient({ credentials: anonymous })
  const blob = blobFrom(elsewhere.repository('elsewhere.example', 'x'))
  expect(await client.repository(server.host, 'one').putBlob(blob, context)).toBe('copied')
  expect(await client.repository(server.host, 'two').putBlob(blob, context)).toBe('mounted')
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
    hint: `Run \`regctl login ${server.host}\``,
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
  expect(events).toMatchObject([{ type: 'retrying', cause: '429', attempt: 1, delayMs: 7000 }])
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

test('R249: asks again for a manifest that breaks off', async () => {
  await using server = await startScripted([
    [
      /./,
      (_request, response) => {
        response.writeHead(200, { ...MANIFEST_HEADERS, 'content-length': MANIFEST.bytes.length })
        response.write(MANIFEST.bytes.subarray(0, 20), () => response.socket?.destroy())
      },
      answer(200, MANIFEST_HEADERS, MANIFEST.bytes),
    ],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const { bytes } = await client.repository(server.host, 'a').getManifest('1', context)
  expect(digestOf(bytes)).toBe(MANIFEST.descriptor.digest)
})

test.each([
  ['a wrong body', MANIFEST.descriptor.digest, {}, Buffer.from('{"schemaVersion":2,"layers":[]}')],
  ['a wrong header', MANIFEST.descriptor.digest, { 'docker-content-digest': DIGEST }, MANIFEST.bytes],
  ['a wrong header on a tag', '1', { 'docker-content-digest': DIGEST }, MANIFEST.bytes],
])('R14, R205: refuses a manifest with %s', async (_what, name, headers, body) => {
  await using server = await startScripted([[/./, answer(200, { ...MANIFEST_HEADERS, ...headers }, body)]])
  const { client, context } = clientOf()
  await using _ = client
  await expect(client.repository(server.host, 'a').getManifest(name, context)).rejects.toMatchObject({
    kind: 'corrupt',
    code: 'digest-mismatch',
  })
})

test('R20: takes the media type from the body when the header says nothing', async () => {
  await using server = await startScripted([
    [/./, answer(200, { 'content-type': 'text/plain' }, MANIFEST.bytes)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const { descriptor } = await client.repository(server.host, 'a').getManifest('1', context)
  expect(descriptor).toEqual(MANIFEST.descriptor)
})

test('R21: asks by GET when HEAD tells too little', async () => {
  await using server = await startScripted([
    [/^HEAD /, answer(405)],
    [/^GET /, answer(200, MANIFEST_HEADERS, MANIFEST.bytes)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  expect(await client.repository(server.host, 'a').statManifest('1', context)).toEqual(MANIFEST.descriptor)
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

test('R22, R26: pushes exact bytes with their media type, which the error names', async () => {
  await using server = await startScripted([
    [/^PUT .*\/ok$/, answer(201)],
    [/^PUT /, refusal(405, 'UNSUPPORTED', 'Invalid JSON syntax')],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  await repository.putManifest(MANIFEST, ['ok'], context)
  expect(server.seen[0]).toMatchObject({
    body: MANIFEST.bytes,
    headers: { 'content-type': MediaType.ociManifest },
  })
  await expect(repository.putManifest(MANIFEST, ['no'], context)).rejects.toMatchObject({
    message: `push of manifest ${server.host}/a:no (${MediaType.ociManifest}) failed: PUT ${server.host}/v2/a/manifests/no answered 405 (UNSUPPORTED: Invalid JSON syntax)`,
  })
})

test('R27: a tag that cannot be changed and has this digest already is fine', async () => {
  const there = { ...MANIFEST_HEADERS, 'docker-content-digest': MANIFEST.descriptor.digest }
  await using server = await startScripted([
    [/^PUT /, refusal(400, 'TAG_INVALID')],
    [/^HEAD /, answer(200, there), answer(200, { ...there, 'docker-content-digest': DIGEST })],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  await repository.putManifest(MANIFEST, ['1'], context)
  await expect(repository.putManifest(MANIFEST, ['1'], context)).rejects.toMatchObject({
    codes: ['TAG_INVALID'],
  })
})

test('R68, R70, R71: lists tags over pages, leaves out what is none, and refuses a circle', async () => {
  const json = { 'content-type': 'application/json' }
  await using server = await startScripted([
    [/last=c/, answer(200, { ...json, link: '</v2/a/tags/list?last=b>; rel=next' }, '{"tags":["d"]}')],
    [/last=b/, answer(200, { ...json, link: '<?last=c>; rel="next"' }, '{"tags":["b","c"]}')],
    [
      /./,
      answer(200, { ...json, link: '</v2/a/tags/list?last=b>; rel="next"' }, '{"tags":["a",null,"b","x y"]}'),
    ],
  ])
  const { client, context, events } = clientOf()
  await using _ = client
  const tags: string[] = []
  const listing = (async () => {
    for await (const tag of client.repository(server.host, 'a').listTags(context)) tags.push(tag)
  })()
  await expect(listing).rejects.toMatchObject({
    code: 'bad-link',
    message: expect.stringContaining('in a circle'),
  })
  expect(tags).toEqual(['a', 'b', 'c', 'd'])
  expect(events).toEqual([
    { type: 'warning', message: `${server.host}/a lists 2 names that are no tags; they are left out` },
  ])
})

test('R70: refuses a next page on another origin', async () => {
  await using other = await startScripted([[/./, answer(200, {}, '{"tags":["evil"]}')]])
  await using server = await startScripted([
    [/./, answer(200, { link: `<http://${other.host}/v2/a/tags/list>; rel="next"` }, '{"tags":["a"]}')],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const listing = (async () => {
    for await (const _tag of client.repository(server.host, 'a').listTags(context));
  })()
  await expect(listing).rejects.toMatchObject({ code: 'bad-link' })
  expect(other.seen).toEqual([])
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

test('R74: puts a list that comes in one piece in order, and keeps to what was asked for', async () => {
  await using server = await startScripted([[/./, answer(200, {}, '{"tags":["b","10","a","B","c"]}')]])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const list = async (options: { after?: string; limit?: number }) => {
    const tags: string[] = []
    for await (const tag of repository.listTags(context, options)) tags.push(tag)
    return tags
  }
  expect(await list({})).toEqual(['10', 'B', 'a', 'b', 'c'])
  expect(await list({ after: 'B', limit: 2 })).toEqual(['a', 'b'])
  expect(server.lines()[1]).toBe('GET /v2/a/tags/list?last=B')
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
