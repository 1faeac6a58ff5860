import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { type FragileOptions, startFragile } from '../../test/support/fragile-registry.js'
import { randomBytes } from '../../test/support/random-bytes.js'
import { clientOf } from '../../test/support/registry-fixtures.js'
import { ContentError } from '../content/content-error.js'
import { digestOf } from '../content/digest.js'
import { verifyStream } from '../content/verify.js'
import type { RegistryClientOptions } from './client.js'

const KIB = 1024
const BYTES = randomBytes(3, 1000 * KIB)
const DESCRIPTOR = { mediaType: 'x', digest: digestOf(BYTES), size: BYTES.length }
/** The ranges of chunks of a size, and the PUT at the end. */
const chunksOf = (size: number, from = 0) => {
  const starts = Array.from({ length: Math.ceil((BYTES.length - from) / size) }, (_, at) => from + at * size)
  return [...starts.map(start => `PATCH ${start}-${Math.min(start + size, BYTES.length) - 1}`), 'PUT']
}

async function push(fragile: FragileOptions, options: Partial<RegistryClientOptions> = {}, bytes = BYTES) {
  await using registry = await startFragile(fragile)
  const { client, context } = clientOf(options)
  await using _ = client
  const repository = client.repository(registry.host, 'a')
  const opened: number[] = []
  const open = async (from = 0) => {
    opened.push(from)
    const stream = Readable.from(piecesOf(bytes, from), { objectMode: false })
    return from === 0 ? verifyStream(stream, DESCRIPTOR, 'the blob') : stream
  }
  const blob = { descriptor: DESCRIPTOR, origin: repository, open }
  const outcome = await repository.putBlob(blob, context).catch((error: unknown) => error)
  const stored = registry.blobs.get(DESCRIPTOR.digest)?.equals(BYTES) === true
  const posts = registry.requests.filter(({ line }) => line.startsWith('POST')).length
  return { outcome, stored, opened, posts, bodies: registry.bodies() }
}

function* piecesOf(bytes: Buffer, from: number): Generator<Buffer> {
  for (let at = from; at < bytes.length; at += 9_999) yield bytes.subarray(at, at + 9_999)
}

test('R47, R51: sends chunks of the size that is asked for, in one pass over the source', async () => {
  const { outcome, stored, opened, bodies } = await push({}, { chunkBytes: 300_001 })
  expect(outcome).toBe('copied')
  expect(stored).toBe(true)
  expect(bodies).toEqual(chunksOf(300_001))
  expect(opened).toEqual([0])
})

test('R55, R202: finds the size that gets through in one upload, and goes on with it in the next', async () => {
  const { outcome, stored, bodies, posts } = await push({ bodyLimit: 256 * KIB })
  expect(outcome).toBe('copied')
  expect(stored).toBe(true)
  expect(posts).toBe(1)
  expect(bodies).toEqual([`PUT 0-${BYTES.length - 1}`, `PATCH 0-${512 * KIB - 1}`, ...chunksOf(256 * KIB)])
})

test('R49, R240: opens the source where a broken chunk has to go on', async () => {
  const cuts = [undefined, 100_000]
  const { outcome, opened, bodies } = await push({ cuts }, { chunkBytes: 300_000 })
  expect(outcome).toBe('copied')
  expect(opened).toEqual([0, 400_000])
  expect(bodies).toEqual(['PATCH 0-299999', 'PATCH 300000-599999', ...chunksOf(300_000, 400_000)])
})

test('R50: sends no chunk that is smaller than the registry asks for', async () => {
  const opened = { 'oci-chunk-min-length': '400000' }
  const { bodies } = await push({ opened }, { chunkBytes: 100_000 })
  expect(bodies).toEqual(chunksOf(400_000))
})

test('R50: sends chunks from the start where the registry takes no more at once', async () => {
  const { bodies } = await push({ opened: { 'oci-chunk-max-length': '500000' } })
  expect(bodies).toEqual(chunksOf(500_000))
})

test.each(['nonsense', '-1', '0', '99999999999999999999'])(
  'R50: passes over a length of chunks of %j',
  async length => {
    const opened = { 'oci-chunk-min-length': length, 'oci-chunk-max-length': length }
    expect((await push({ opened })).bodies).toEqual([`PUT 0-${BYTES.length - 1}`])
  },
)

test('R56: sends chunks where a registry takes nothing in one piece', async () => {
  const refused = { status: 405, body: '{"errors":[{"code":"UNSUPPORTED"}]}' }
  const { outcome, bodies } = await push({ instead: count => (count === 1 ? refused : undefined) })
  expect(outcome).toBe('copied')
  // The registry had taken the bytes all the same.
  expect(bodies).toEqual([`PUT 0-${BYTES.length - 1}`, 'PUT'])
})

test('R49: goes back where the registry has less of a chunk than was sent', async () => {
  const short = { status: 202, range: '0-299' }
  const { outcome, bodies } = await push(
    { instead: count => (count === 1 ? short : undefined) },
    { chunkBytes: 500_000 },
  )
  expect(outcome).toBe('copied')
  expect(bodies[1]).toBe('PATCH 300-500299')
})

test('notices before the last chunk that the source is not what it should be', async () => {
  const { outcome, bodies } = await push({}, { chunkBytes: 300_000 }, randomBytes(4, BYTES.length))
  expect(outcome).toBeInstanceOf(ContentError)
  expect(outcome).toMatchObject({ code: 'digest-mismatch' })
  expect(bodies).not.toContain('PUT')
})
