import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { BYTES, blobFrom, clientOf, DESCRIPTOR, DIGEST } from '../../test/support/registry-fixtures.js'
import {
  type Answer,
  answer,
  hangUp,
  refusal,
  type ScriptedServer,
  startScripted,
} from '../../test/support/scripted-server.js'
import { digestOf } from '../content/digest.js'
import { anonymous } from '../credentials/credential-store.js'
import { RegistryClient } from './client.js'

test.each([
  ['absolute', (host: string) => `http://${host}/upload/1?_state=a%2Bb%3D%3D`],
  ['without a host', () => '/upload/1?_state=a%2Bb%3D%3D'],
  ['without a scheme', (host: string) => `${host}/upload/1?_state=a%2Bb%3D%3D`],
  ['with two slashes', (host: string) => `//${host}/upload/1?_state=a%2Bb%3D%3D`],
])('R39, R42, R43: sends the bytes to a Location that is %s, keeping its query', async (_form, location) => {
  await using server: ScriptedServer = await startScripted([
    [/^POST /, (_request, response) => response.writeHead(202, { location: location(server.host) }).end()],
    [/^PUT /, answer(201)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a/b')
  expect(await repository.putBlob(blobFrom(repository), context)).toBe('copied')
  expect(server.lines()).toEqual([
    `POST /v2/a/b/blobs/uploads/?mount=${DIGEST}&from=a%2Fb`,
    `PUT /upload/1?_state=a%2Bb%3D%3D&digest=${encodeURIComponent(DIGEST)}`,
  ])
  const put = server.seen[1]
  expect(put?.body).toEqual(BYTES)
  expect(put?.headers).toMatchObject({
    'content-length': `${BYTES.length}`,
    'content-type': 'application/octet-stream',
  })
  expect(put?.headers).not.toHaveProperty('content-range')
})

test('R62: a registry that refuses another algorithm than sha256 may not know it', async () => {
  const digest = digestOf(BYTES, 'sha512')
  await using server = await startScripted([
    [/^POST /, answer(202, { location: '/u' })],
    [/^PUT /, refusal(400, 'DIGEST_INVALID')],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const blob = { ...blobFrom(repository), descriptor: { ...DESCRIPTOR, digest } }
  await expect(repository.putBlob(blob, context)).rejects.toMatchObject({
    status: 400,
    hint: 'This registry may not support sha512',
  })
  expect(server.lines()[0]).toMatch(/^POST .*mount=.*&digest-algorithm=sha512$/)
})

test('R240: takes a lost answer to the PUT for done when the blob is there', async () => {
  await using server = await startScripted([
    [/^HEAD /, answer(200, { 'content-length': `${BYTES.length}` })],
    [/^POST /, answer(202, { location: '/u' })],
    [/^PUT /, hangUp],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  expect(await repository.putBlob(blobFrom(repository), context)).toBe('copied')
  expect(server.lines().filter(line => line.startsWith('PUT'))).toHaveLength(1)
})

test('R240: takes an upload for done that came to its end while it was asked for', async () => {
  await using server = await startScripted([
    [/^HEAD /, answer(404), answer(200, { 'content-length': `${BYTES.length}` })],
    [/^POST /, answer(202, { location: '/u' })],
    [/^PUT /, hangUp],
    [/^GET \/u/, refusal(404, 'BLOB_UPLOAD_UNKNOWN')],
  ])
  const { client, context, events } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  expect(await repository.putBlob(blobFrom(repository), context)).toBe('copied')
  expect(server.lines().filter(line => line.startsWith('PUT'))).toHaveLength(1)
  expect(events).toEqual([
    expect.objectContaining({ cause: expect.stringMatching(/^the connection was closed/) }),
  ])
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
    expect.objectContaining({
      type: 'retrying',
      attempt: 1,
      cause: 'answered 404 (BLOB_UPLOAD_UNKNOWN: refused)',
    }),
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
    [/^POST .*from=one$/, answer(202, { location: '/u' }), answer(201)],
    [/^PUT /, answer(201)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  await using elsewhere = new RegistryClient({ credentials: anonymous })
  const blob = blobFrom(elsewhere.repository('elsewhere.example', 'x'))
  expect(await client.repository(server.host, 'one').putBlob(blob, context)).toBe('copied')
  expect(await client.repository(server.host, 'two').putBlob(blob, context)).toBe('mounted')
})

test('R47, R51, R55: sends chunks where a blob in one piece is too large, and smaller ones if need be', async () => {
  const bytes = Buffer.alloc(2 * 1024 * 1024 + 5, 'x')
  const limit = 1024 * 1024
  const received: Buffer[] = []
  await using server = await startScripted([
    [/^POST /, answer(202, { location: '/u/0' })],
    [
      /^(PATCH|PUT) /,
      ({ method, body, headers }, response) => {
        if (body.length > limit) response.writeHead(413).end()
        else if (method === 'PUT') response.writeHead(201).end()
        else {
          received.push(body)
          response.writeHead(202, { location: `/u/${headers['content-range']}` }).end()
        }
      },
    ],
  ])
  const { client, context, events } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const descriptor = { mediaType: 'x', digest: digestOf(bytes), size: bytes.length }
  const blob = { descriptor, origin: repository, open: async () => Readable.from([bytes]) }
  expect(await repository.putBlob(blob, context)).toBe('copied')
  expect(Buffer.concat(received).equals(bytes)).toBe(true)
  const patches = server.seen.filter(({ method, body }) => method === 'PATCH' && body.length <= limit)
  expect(patches.map(({ path, headers }) => [path, headers['content-range']])).toEqual([
    ['/u/0', '0-1048575'],
    ['/u/0-1048575', '1048576-2097151'],
    ['/u/1048576-2097151', '2097152-2097156'],
  ])
  expect(server.seen.at(-1)).toMatchObject({
    method: 'PUT',
    path: `/u/2097152-2097156?digest=${encodeURIComponent(descriptor.digest)}`,
    headers: { 'content-length': '0' },
  })
  expect(events.map(event => event.type === 'retrying' && event.cause)).toEqual(['answered 413'])
})

test('R202: says that request bodies are limited when even a small request is too large', async () => {
  await using server = await startScripted([
    [/^POST /, answer(202, { location: '/u', 'oci-chunk-min-length': '100' })],
    [/^(PATCH|PUT) /, answer(413, {}, '<html><title>413 Request Entity Too Large</title>')],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  await expect(repository.putBlob(blobFrom(repository), context)).rejects.toMatchObject({
    status: 413,
    message: expect.stringContaining('a proxy in front of it, limits the size of a request: PUT'),
  })
})

test('asks once whether a blob is there, and again after it was seen to be gone', async () => {
  await using server = await startScripted([
    [/^POST .*mount=.*from=a$/, answer(201)],
    [/^HEAD .*blobs/, answer(404)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const blob = blobFrom(repository)
  for (let times = 0; times < 3; times++) expect(await repository.putBlob(blob, context)).toBe('exists')
  const posts = () => server.lines().filter(line => line.startsWith('POST')).length
  expect(posts()).toBe(1)
  expect(await repository.hasBlob(blob.descriptor, context)).toBe(false)
  expect(await repository.putBlob(blob, context)).toBe('exists')
  expect(posts()).toBe(2)
})

test('R106: sends the bytes where the token server refuses a token for the source of a mount', async () => {
  const guarded =
    (allowed: Answer): Answer =>
    (request, response) => {
      if (request.headers.authorization !== undefined) return allowed(request, response)
      const challenge = `Bearer realm="http://${request.headers.host}/token",service="s"`
      answer(401, { 'www-authenticate': challenge })(request, response)
    }
  await using server = await startScripted([
    [/^GET \/token.*source/, answer(403, {}, '{"details":"no such scope for you"}')],
    [/^GET \/token/, answer(200, { 'content-type': 'application/json' }, '{"token":"t"}')],
    [/^HEAD/, guarded(answer(404))],
    [/^POST/, guarded(answer(202, { location: '/v2/target/blobs/uploads/1' }))],
    [/^PUT/, guarded(answer(201))],
    [/./, answer(200)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const blob = blobFrom(client.repository(server.host, 'team/source'))
  expect(await client.repository(server.host, 'target').putBlob(blob, context)).toBe('copied')
  expect(server.lines().filter(line => line.startsWith('GET /token') && line.includes('source'))).not.toEqual(
    [],
  )
})
