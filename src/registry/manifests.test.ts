import { expect, test } from 'vitest'
import { clientOf, DIGEST, MANIFEST, MANIFEST_HEADERS } from '../../test/support/registry-fixtures.js'
import { answer, refusal, startScripted } from '../../test/support/scripted-server.js'
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
