import { Readable } from 'node:stream'
import { setImmediate as tick } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startFaultyProxy } from '../../test/support/faulty-proxy.js'
import { randomBytes } from '../../test/support/random-bytes.js'
import { type SeenRequest, startScripted } from '../../test/support/scripted-server.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import { verifyStream } from '../content/verify.js'
import { anonymous } from '../credentials/credential-store.js'
import { RegistryClient } from './client.js'
import { DownloadLine } from './download-line.js'
import { type OpenRange, ParallelDownload } from './parallel-download.js'

const BYTES = randomBytes(1, 1_000_000)
const PART = 50_000
/** Every download counts as slow. */
const AT_ONCE = { partBytes: PART, connections: 4, watchMs: 0, worthMs: 0, stepMs: 0 }

/** Some bytes in small pieces, one at each turn of the event loop; then an error where there is one. */
function slowly(from: number, to: number, error?: Error): Readable {
  const pieces = async function* () {
    for (let start = from; start < to; start += 7000) {
      await tick()
      yield BYTES.subarray(start, Math.min(start + 7000, to))
    }
    if (error !== undefined) throw error
  }
  return Readable.from(pieces(), { objectMode: false })
}

interface Asked {
  from: number
  to: number
  isLast: boolean
}

async function read(open: OpenRange, settings = AT_ONCE, line = new DownloadLine(10 * PART)) {
  const asked: Asked[] = []
  const noted: OpenRange = (from, to, isLast) => {
    asked.push({ from, to, isLast })
    return open(from, to, isLast)
  }
  const download = new ParallelDownload(noted, BYTES.length, settings, line)
  const first = slowly(0, BYTES.length)
  const chunks: Buffer[] = []
  for await (const chunk of download.read(first, 0)) chunks.push(Buffer.from(chunk))
  return { bytes: Buffer.concat(chunks), asked, first, isNarrowed: download.isNarrowed }
}

test('brings a blob in order by several requests, none of which asks for what another one brings', async () => {
  const { bytes, asked, first, isNarrowed } = await read(async (from, to) => slowly(from, to))
  expect(bytes.equals(BYTES)).toBe(true)
  expect(isNarrowed).toBe(false)
  expect(first.destroyed).toBe(true)
  for (const [index, { to }] of asked.entries()) expect(asked[index + 1]?.from ?? BYTES.length).toBe(to)
  expect(asked[0]?.from).toBeGreaterThanOrEqual(PART)
})

test('leaves a blob to the one connection where that is quick enough', async () => {
  const { bytes, asked } = await read(async (from, to) => slowly(from, to), { ...AT_ONCE, worthMs: 60_000 })
  expect(bytes.equals(BYTES)).toBe(true)
  expect(asked).toEqual([])
})

test('leaves a blob alone where others come over the same line, and quickly', async () => {
  const line = new DownloadLine(10 * PART)
  const first = slowly(0, BYTES.length)
  first.on('readable', () => {
    line.receivedBytes += 1e12
  })
  const open = async () => {
    throw new Error('nobody should ask')
  }
  const download = new ParallelDownload(open, BYTES.length, { ...AT_ONCE, worthMs: 10 }, line)
  const chunks: Buffer[] = []
  for await (const chunk of download.read(first, 0)) chunks.push(Buffer.from(chunk))
  expect(Buffer.concat(chunks).equals(BYTES)).toBe(true)
  expect(download.isNarrowed).toBe(false)
})

test('asks for no more when a part is refused, and gives what came until then', async () => {
  const { bytes, asked, isNarrowed } = await read(async () => {
    throw new Error('416')
  })
  expect(isNarrowed).toBe(true)
  expect(bytes.length).toBeGreaterThanOrEqual(PART)
  expect(bytes.equals(BYTES.subarray(0, bytes.length))).toBe(true)
  // Once more for the part that was refused, and then one connection goes on.
  expect(asked.length).toBeLessThanOrEqual(AT_ONCE.connections + 1)
  expect(asked.at(-1)).toMatchObject({ from: bytes.length, isLast: true })
})

test('has the rest of a part once more that breaks off, and throws nothing away', async () => {
  let breaks = 1
  const { bytes, asked, isNarrowed } = await read(async (from, to) =>
    breaks-- > 0 ? slowly(from, from + 20_000, new Error('reset')) : slowly(from, to),
  )
  expect(isNarrowed).toBe(true)
  const [broken] = asked
  expect(asked.filter(({ isLast }) => isLast)).toEqual([
    { from: (broken?.from ?? 0) + 20_000, to: broken?.to, isLast: true },
  ])
  expect(bytes.length).toBe(Math.max(...asked.map(({ to }) => to)))
  expect(bytes.equals(BYTES.subarray(0, bytes.length))).toBe(true)
})

test('has no more in memory than it may, and gives it back when it is closed', async () => {
  const line = new DownloadLine(3 * PART)
  let open = 0
  const download = new ParallelDownload(
    async (from, to) => {
      open++
      return slowly(from, to)
    },
    BYTES.length,
    AT_ONCE,
    line,
  )
  const chunks = download.read(slowly(0, BYTES.length), 0)
  for (let count = 0; count < 3; count++) await chunks.next()
  for (let turn = 0; turn < 100; turn++) await tick()
  expect(open).toBe(2)
  expect(line.hasRoom(1)).toBe(false)
  download.close()
  expect(line.hasRoom(3 * PART)).toBe(true)
})

test('a large blob comes over several connections where each one is slow, and whole', async () => {
  const blob = randomBytes(2, 72 * 1024 * 1024)
  const descriptor = { mediaType: 'x', digest: digestOf(blob), size: blob.length }
  const rangeOf = ({ headers }: SeenRequest) => /bytes=(\d+)-(\d+)/.exec(headers.range ?? '')
  await using server = await startScripted([
    [
      /blobs/,
      (request, response) => {
        const [, from, last] = rangeOf(request)?.map(Number) ?? []
        if (from === undefined || last === undefined) {
          response.writeHead(200, { 'accept-ranges': 'bytes', 'content-length': blob.length }).end(blob)
          return
        }
        const range = { 'content-range': `bytes ${from}-${last}/${blob.length}` }
        response.writeHead(206, { ...range, 'content-length': last + 1 - from })
        response.end(blob.subarray(from, last + 1))
      },
    ],
    [/./, (_, response) => response.writeHead(200).end()],
  ])
  await using line = await startFaultyProxy(server.host, { bytesPerSecond: 10_000_000 })
  await using client = new RegistryClient({ credentials: anonymous })
  const body = await client.repository(line.host, 'a').openBlob(descriptor, createContext())
  let size = 0
  for await (const chunk of verifyStream(body, descriptor, 'blob') as AsyncIterable<Buffer>)
    size += chunk.length
  expect(size).toBe(blob.length)
  expect(server.seen.filter(rangeOf).length).toBeGreaterThan(5)
  expect(line.connections()).toBeGreaterThan(2)
})
