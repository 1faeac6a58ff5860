import { expect, test } from 'vitest'
import { randomBytes } from '../../test/support/random-bytes.js'
import { clientOf } from '../../test/support/registry-fixtures.js'
import { answer, refusal, startScripted } from '../../test/support/scripted-server.js'
import { digestOf } from '../content/digest.js'
import { MediaType } from '../content/media-types.js'
import type { BlobContent } from '../content/store.js'

/** More than the sockets of both sides hold. */
const BYTES = randomBytes(5, 24 * 1024 * 1024)
const DESCRIPTOR = { mediaType: MediaType.ociLayer, digest: digestOf(BYTES), size: BYTES.length }

/** A registry that mounts nothing: what is copied within it comes down and goes up at the same time. */
const REGISTRY = [
  [/^GET .*\/blobs\/sha256/, answer(200, {}, BYTES)],
  [/^POST /, answer(202, { location: '/v2/to/blobs/uploads/1' })],
  [/^PUT /, answer(201)],
] as const

test('a blob is copied within a registry that allows no more connections: those of uploads are extra', async () => {
  await using server = await startScripted(REGISTRY)
  const { client, context } = clientOf({ maximumConnections: 1 })
  await using _ = client
  const from = client.repository(server.host, 'from')
  const blob: BlobContent = {
    descriptor: DESCRIPTOR,
    origin: from,
    open: offset => from.openBlob(DESCRIPTOR, context, offset),
  }
  expect(await client.repository(server.host, 'to').putBlob(blob, context)).toBe('copied')
})

test('no more is asked at once than there may be connections, also by what is given up', async () => {
  let [underWay, most] = [0, 0]
  await using server = await startScripted([
    [
      /blobs/,
      (_request, response) => {
        underWay++
        most = Math.max(most, underWay)
        response.on('close', () => underWay--)
        setTimeout(() => response.writeHead(200).end('some'), 5)
      },
    ],
  ])
  const { client, context } = clientOf({ maximumConnections: 2 })
  await using _ = client
  const repository = client.repository(server.host, 'from')
  const ask = async () => (await repository.openBlob(DESCRIPTOR, context)).destroy()
  await Promise.all(Array.from({ length: 10 }, ask))
  expect(server.lines()).toHaveLength(10)
  expect(most).toBe(2)
})

test('R201: a blob is copied within a registry that was found to bear one request at a time', async () => {
  await using server = await startScripted([[/^GET .*\/first/, refusal(429, 'TOOMANYREQUESTS')], ...REGISTRY])
  const { client, context } = clientOf()
  await using _ = client
  const from = client.repository(server.host, 'from')
  await expect(from.getManifest('first', context)).rejects.toMatchObject({ status: 429 })
  const blob: BlobContent = {
    descriptor: DESCRIPTOR,
    origin: from,
    open: offset => from.openBlob(DESCRIPTOR, context, offset),
  }
  expect(await client.repository(server.host, 'to').putBlob(blob, context)).toBe('copied')
})
