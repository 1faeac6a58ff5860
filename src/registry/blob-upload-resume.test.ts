import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import {
  type FragileOptions,
  type FragileRegistry,
  startFragile,
} from '../../test/support/fragile-registry.js'
import { randomBytes } from '../../test/support/random-bytes.js'
import { clientOf } from '../../test/support/registry-fixtures.js'
import { digestOf } from '../content/digest.js'
import type { RegistryClientOptions } from './client.js'

const KIB = 1024
const BYTES = randomBytes(1, 1000 * KIB)
const DIGEST = digestOf(BYTES)
const DESCRIPTOR = { mediaType: 'x', digest: DIGEST, size: BYTES.length }

/** Pushes the blob, and tells how it went and from where it was read. */
async function push(registry: FragileRegistry, options: Partial<RegistryClientOptions> = {}) {
  const { client, context, events, delays } = clientOf(options)
  await using _ = client
  const repository = client.repository(registry.host, 'a')
  const opened: number[] = []
  const open = async (from = 0) => {
    opened.push(from)
    return Readable.from(piecesFrom(from), { objectMode: false })
  }
  const blob = { descriptor: DESCRIPTOR, origin: repository, open }
  const outcome = await repository.putBlob(blob, context).catch((error: unknown) => error)
  return { outcome, events, delays, opened, lines: registry.requests.map(({ line }) => line.split(' ')[0]) }
}

function* piecesFrom(from: number): Generator<Buffer> {
  for (let at = from; at < BYTES.length; at += 10_000) yield BYTES.subarray(at, at + 10_000)
}

async function pushTo(options: FragileOptions) {
  await using registry = await startFragile(options)
  const result = await push(registry)
  return { ...result, bodies: registry.bodies(), stored: registry.blobs.get(DIGEST)?.equals(BYTES) === true }
}

test('R58, R47, R51: goes on where the registry says, with all the rest in one PATCH and an empty PUT', async () => {
  const { outcome, bodies, opened, events, stored } = await pushTo({ cuts: [300 * KIB, 400 * KIB] })
  expect(outcome).toBe('copied')
  expect(stored).toBe(true)
  const last = BYTES.length - 1
  expect(bodies).toEqual([`PUT 0-${last}`, `PATCH ${300 * KIB}-${last}`, `PATCH ${700 * KIB}-${last}`, 'PUT'])
  expect(opened).toEqual([0, 300 * KIB, 700 * KIB])
  expect(events.filter(({ type }) => type !== 'blob-progress')).toEqual([
    expect.objectContaining({ type: 'retrying', attempt: 1, cause: expect.stringContaining('was closed') }),
    expect.objectContaining({ type: 'resuming', offset: 300 * KIB }),
    expect.objectContaining({ type: 'retrying', attempt: 2 }),
    expect.objectContaining({ type: 'resuming', offset: 700 * KIB, size: BYTES.length }),
  ])
})

test('R58: goes on as often as it moves', async () => {
  const cuts = Array.from({ length: 12 }, () => 64 * KIB)
  const { outcome, stored, lines } = await pushTo({ cuts })
  expect(outcome).toBe('copied')
  expect(stored).toBe(true)
  expect(lines.filter(method => method === 'POST')).toHaveLength(1)
})

test.each([
  ['without the unit', (count: number) => `0-${count - 1}`],
  ['with a unit', (count: number) => `bytes=0-${count - 1}`],
  ['one too high, as Quay has it', (count: number) => `0-${count}`],
])('R48: goes on by a Range %s', async (_what, range) => {
  const { outcome, stored, lines } = await pushTo({ cuts: [300 * KIB], range })
  expect(outcome).toBe('copied')
  expect(stored).toBe(true)
  expect(lines.filter(method => method === 'POST')).toHaveLength(1)
})

test('R58: asks again while the registry is busy with the request that broke', async () => {
  const { outcome, lines } = await pushTo({ cuts: [300 * KIB], busy: 3 })
  expect(outcome).toBe('copied')
  expect(lines.filter(method => method === 'GET')).toHaveLength(4)
  expect(lines.filter(method => method === 'POST')).toHaveLength(1)
})

test.each<[string, FragileOptions]>([
  ['more than was sent', { statusRange: '0-99999999' }],
  ['no Range', { statusRange: '' }],
  ['404', { statusAnswer: 404 }],
  ['405', { statusAnswer: 405 }],
])('R58, R49, R241: begins anew where the status is %s', async (_what, options) => {
  const cuts = [100, 200, 300, 400, 600].map(size => size * KIB)
  const { outcome, stored, lines } = await pushTo({ ...options, cuts })
  expect(outcome).toBe('copied')
  expect(stored).toBe(true)
  expect(lines.filter(method => method === 'POST')).toHaveLength(6)
})

test('R55: sends chunks, each over its own connection, where uploads that begin anew break at the same place', async () => {
  await using registry = await startFragile({ statusAnswer: 404, cuts: [300 * KIB, 300 * KIB] })
  const { outcome } = await push(registry)
  expect(outcome).toBe('copied')
  const chunks = registry.bodies().slice(2, -1)
  expect(chunks[0]).toMatch(/^PATCH 0-\d+$/)
  expect(chunks.length).toBeGreaterThanOrEqual(2)
  expect(registry.connections()).toBeGreaterThanOrEqual(chunks.length + 2)
})

test('R242: goes on where a 416 says that the upload is, and begins anew at the second in a row', async () => {
  const refused = { status: 416, range: '0-99' }
  const instead = (count: number) => (count === 2 || count === 3 ? refused : undefined)
  const { outcome, lines, bodies } = await pushTo({ cuts: [300 * KIB], instead })
  expect(outcome).toBe('copied')
  expect(bodies[2]).toBe(`PATCH 100-${BYTES.length - 1}`)
  expect(lines.filter(method => method === 'POST')).toHaveLength(2)
})

test.each([
  ['400 after a part was taken', { status: 400 }],
  ['500 to a PATCH', { status: 500 }],
  ['404 with a code', { status: 404, body: '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}' }],
])('R241: begins anew after %s', async (_what, refusal) => {
  const instead = (count: number) => (count === 2 ? refusal : undefined)
  const { outcome, stored, lines } = await pushTo({ cuts: [300 * KIB], instead })
  expect(outcome).toBe('copied')
  expect(stored).toBe(true)
  expect(lines.filter(method => method === 'POST')).toHaveLength(2)
})

test('R60: begins anew once when what was put together has the wrong digest', async () => {
  const wrong = { status: 400, body: '{"errors":[{"code":"DIGEST_INVALID","message":"wrong"}]}' }
  const once = await pushTo({ cuts: [300 * KIB], instead: count => (count === 3 ? wrong : undefined) })
  expect(once.outcome).toBe('copied')
  expect(once.lines.filter(method => method === 'POST')).toHaveLength(2)
  const always = await pushTo({
    cuts: [300 * KIB, 300 * KIB],
    instead: (_count, method) => (method === 'PUT' ? wrong : undefined),
  })
  expect(always.outcome).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
  expect(always.lines.filter(method => method === 'POST')).toHaveLength(2)
})

test('R240: fails after five breaks without a byte in between, and cancels the upload', async () => {
  const { outcome, lines } = await pushTo({ cuts: Array.from({ length: 99 }, () => 0) })
  expect(outcome).toMatchObject({ kind: 'network', code: 'connection-reset' })
  expect(outcome).toMatchObject({ message: expect.stringMatching(/closed.* after \d attempts$/) })
  expect(lines.at(-1)).toBe('DELETE')
  expect(lines.filter(method => method === 'POST')).toHaveLength(1)
})

test('fails with the size when a source that is opened again has become shorter', async () => {
  await using registry = await startFragile({ cuts: [300 * KIB] })
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(registry.host, 'a')
  const open = async (from = 0) => Readable.from([BYTES.subarray(from, from === 0 ? undefined : 500 * KIB)])
  const blob = { descriptor: DESCRIPTOR, origin: repository, open }
  await expect(repository.putBlob(blob, context)).rejects.toMatchObject({
    code: 'size-mismatch',
    message: `blob ${DIGEST} of ${registry.host}/a should have ${BYTES.length} bytes but has ${500 * KIB}`,
  })
})
