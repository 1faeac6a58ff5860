import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { clientOf, DIGEST, MANIFEST, MANIFEST_HEADERS } from '../../test/support/registry-fixtures.js'
import { type Answer, answer, hangUp, refusal, startScripted } from '../../test/support/scripted-server.js'
import { digestOf } from '../content/digest.js'
import { MediaType } from '../content/media-types.js'

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

test('R20, R170: takes the media type from the body when the header says nothing', async () => {
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

test('R25: tells at once that the registry lacks something of a manifest, also when it says so by a 500', async () => {
  for (const status of [400, 404, 500]) {
    await using server = await startScripted([
      [/^PUT/, refusal(status, 'MANIFEST_BLOB_UNKNOWN', 'blob unknown')],
      [/./, answer(200)],
    ])
    const { client, context, delays } = clientOf()
    await using _ = client
    const put = client.repository(server.host, 'a').putManifest(MANIFEST, ['1'], context)
    await expect(put).rejects.toMatchObject({ code: 'missing-part', status })
    expect(delays).toEqual([])
  }
})

test('R229: a manifest that says it is of another type than announced is taken by digest alone', async () => {
  const headers = { 'content-type': MediaType.dockerManifest }
  await using server = await startScripted([[/./, answer(200, headers, MANIFEST.bytes)]])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  await expect(repository.getManifest('1', context)).rejects.toMatchObject({
    kind: 'corrupt',
    message: `manifest ${server.host}/a:1 is announced as ${MediaType.dockerManifest} but says of itself that it is ${MediaType.ociManifest}`,
  })
  const pinned = await repository.getManifest(MANIFEST.descriptor.digest, context)
  expect(pinned.descriptor.mediaType).toBe(MediaType.ociManifest)
})

test('R1, R2, R11, R12, R18: asks for a manifest itself, as it is stored and of any type, and for nothing before', async () => {
  await using server = await startScripted([
    [/manifests/, answer(200, MANIFEST_HEADERS, MANIFEST.bytes)],
    [/./, answer(404)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'team/app')
  await repository.getManifest('1', context)
  await repository.statBlob(DIGEST, context)
  expect(server.lines()).toEqual(['GET /v2/team/app/manifests/1', `HEAD /v2/team/app/blobs/${DIGEST}`])
  const [manifest, blob] = server.seen.map(({ headers }) => headers)
  expect(manifest?.accept).toBe(
    [MediaType.ociManifest, MediaType.ociIndex, MediaType.dockerManifest, MediaType.dockerManifestList].join(
      ', ',
    ),
  )
  expect(manifest?.['accept-encoding']).toBe('identity')
  expect(blob?.accept ?? '*/*').toBe('*/*')
  expect(blob?.['accept-encoding']).toBe('identity')
})

test('R6: a Content-Type may have parameters and capitals', async () => {
  const type = `${MediaType.ociManifest.replace('application', 'Application')} ; Charset=UTF-8`
  await using server = await startScripted([[/./, answer(200, { 'content-type': type }, MANIFEST.bytes)]])
  const { client, context } = clientOf()
  await using _ = client
  const { descriptor } = await client.repository(server.host, 'a').getManifest('1', context)
  expect(descriptor).toEqual(MANIFEST.descriptor)
})

test.each([
  ['compressed on the way', gzipSync(MANIFEST.bytes)],
  ['labelled so and not', MANIFEST.bytes],
])('R13: a manifest that is %s has its own digest', async (_what, bytes) => {
  const headers = { ...MANIFEST_HEADERS, 'content-encoding': 'gzip' }
  await using server = await startScripted([[/./, answer(200, headers, bytes)]])
  const { client, context } = clientOf()
  await using _ = client
  const manifest = await client.repository(server.host, 'a').getManifest(MANIFEST.descriptor.digest, context)
  expect(Buffer.from(manifest.bytes)).toEqual(MANIFEST.bytes)
})

test('R17: cookies are let be', async () => {
  const headers = { ...MANIFEST_HEADERS, 'set-cookie': 'sid=1' }
  await using server = await startScripted([[/./, answer(200, headers, MANIFEST.bytes)]])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  await repository.getManifest('1', context)
  await repository.getManifest('1', context)
  expect(server.seen[1]?.headers.cookie).toBeUndefined()
})

test.each<[string, Answer]>([
  ['400', answer(400)],
  ['404', answer(404)],
  ['405', answer(405)],
  ['501', answer(501)],
  ['no Content-Type', answer(200, { 'content-length': '3' })],
  ['a length of 0', answer(200, { ...MANIFEST_HEADERS, 'content-length': '0' })],
  ['another digest', answer(200, { ...MANIFEST_HEADERS, 'docker-content-digest': DIGEST })],
])('R21: a HEAD with %s is not believed before a GET', async (_what, head) => {
  await using server = await startScripted([
    [/^HEAD /, head],
    [/^GET /, answer(200, MANIFEST_HEADERS, MANIFEST.bytes)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const { digest } = MANIFEST.descriptor
  expect(await client.repository(server.host, 'a').statManifest(digest, context)).toEqual(MANIFEST.descriptor)
})

test('R238: a registry that is in trouble is not asked by GET what it did not answer to HEAD', async () => {
  await using server = await startScripted([[/./, answer(503)]])
  const { client, context } = clientOf()
  await using _ = client
  const asking = client.repository(server.host, 'a').statManifest('1', context)
  await expect(asking).rejects.toMatchObject({ kind: 'network', status: 503 })
  expect(server.seen).toHaveLength(5)
})

test('R28, R235: reads a manifest of 4 MiB, and none that is larger', async () => {
  const sized = (size: number) => {
    const text = MANIFEST.bytes.toString()
    return Buffer.from(`${text.slice(0, -1)}${' '.repeat(size - text.length)}}`)
  }
  const limit = 4 * 1024 * 1024
  await using server = await startScripted([
    [/fits/, answer(200, MANIFEST_HEADERS, sized(limit))],
    [/announced/, answer(200, MANIFEST_HEADERS, sized(limit + 1))],
    [
      /./,
      (_request, response) => {
        response.writeHead(200, MANIFEST_HEADERS)
        response.write(sized(limit))
        response.end('  ')
      },
    ],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  expect((await repository.getManifest('fits', context)).bytes.length).toBe(limit)
  for (const tag of ['announced', 'endless']) {
    await expect(repository.getManifest(tag, context)).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'too-large',
    })
  }
})

test('R8: a code that nobody knows changes nothing of what the status says', async () => {
  await using server = await startScripted([[/./, refusal(404, 'SOMETHING_NEW', 'a new way to say no')]])
  const { client, context } = clientOf()
  await using _ = client
  await expect(client.repository(server.host, 'a').getManifest('1', context)).rejects.toMatchObject({
    kind: 'not-found',
    codes: ['SOMETHING_NEW'],
    message: expect.stringContaining('answered 404 (SOMETHING_NEW: a new way to say no)'),
  })
})

test('R239: a deletion whose first answer was lost has happened when nothing is there any more', async () => {
  await using server = await startScripted([[/^DELETE /, hangUp, answer(404)]])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  expect(await repository.deleteManifest(MANIFEST.descriptor.digest, context)).toBe(true)
  expect(await repository.deleteManifest(MANIFEST.descriptor.digest, context)).toBe(false)
})
