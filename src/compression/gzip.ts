import { availableParallelism } from 'node:os'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw, type ZlibOptions } from 'node:zlib'
import { generatedStream } from './generated-stream.js'

/**
 * The level that layers are compressed with. Higher levels cost several times the time for a few percent less; and
 * since the digest of a layer depends on it, it does not change lightly.
 */
export const DEFAULT_GZIP_LEVEL = 4

/** Input is cut into blocks of this many bytes, counted from its start, whatever chunks it comes in. */
const BLOCK_SIZE = 1024 * 1024
/** How far back deflate can refer. */
const DICTIONARY_SIZE = 32 * 1024
/** No name, no time, no flags, operating system "unknown" (RFC 1952, 2.3). */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])

/**
 * Compresses a stream into one gzip member, on all cores.
 *
 * The output is a function of the input bytes and the level alone: blocks are cut by offset, each is compressed with the
 * 32 KiB before it as dictionary (so hardly anything is lost against one pass) and ends on a byte boundary, as pigz does it.
 * Blocks in flight are bounded, so memory is too: about 2 MiB for each core.
 *
 * @param input is destroyed when the result is
 * @example
 * await pipeline(gzipStream(createReadStream('layer.tar')), createWriteStream('layer.tar.gz'))
 */
export function gzipStream(input: Readable, options: { level?: number } = {}): Readable {
  return generatedStream(member(input, options.level ?? DEFAULT_GZIP_LEVEL), input)
}

const deflateAsync = promisify<Buffer, ZlibOptions, Buffer>(deflateRaw)

async function* member(input: Readable, level: number): AsyncGenerator<Buffer> {
  const mostInFlight = availableParallelism() + 1
  const inFlight: Promise<Buffer>[] = []
  let checksum = 0
  let size = 0
  let dictionary: Buffer | undefined
  yield HEADER
  for await (const { block, isLast } of blocksOf(input)) {
    inFlight.push(compressBlock(block, level, dictionary, isLast))
    checksum = crc32(block, checksum)
    size += block.length
    dictionary = block.subarray(-DICTIONARY_SIZE)
    const first = inFlight.length >= mostInFlight ? inFlight.shift() : undefined
    if (first !== undefined) yield await first
  }
  for (const block of inFlight) yield await block
  yield trailer(checksum, size)
}

function compressBlock(
  block: Buffer,
  level: number,
  dictionary: Buffer | undefined,
  isLast: boolean,
): Promise<Buffer> {
  const finishFlush = isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH
  const compressed = deflateAsync(block, {
    level,
    finishFlush,
    chunkSize: BLOCK_SIZE / 2,
    ...(dictionary !== undefined && { dictionary }),
  })
  // Whoever waits for it gets the error; when nobody does any more, it must not count as unhandled.
  compressed.catch(() => {})
  return compressed
}

/** CRC-32 and size modulo 2^32 of the input, little-endian (RFC 1952, 2.3.1). */
function trailer(checksum: number, size: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(checksum, 0)
  bytes.writeUInt32LE(size % 2 ** 32, 4)
  return bytes
}

/**
 * Cuts a stream into blocks. All but the last are full; an empty stream is one empty block. A full block is held back
 * until it is known whether anything follows.
 */
async function* blocksOf(input: Readable): AsyncGenerator<{ block: Buffer; isLast: boolean }> {
  let block = Buffer.allocUnsafeSlow(BLOCK_SIZE)
  let filled = 0
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let taken = 0
    while (taken < chunk.length) {
      if (filled === BLOCK_SIZE) {
        yield { block, isLast: false }
        block = Buffer.allocUnsafeSlow(BLOCK_SIZE)
        filled = 0
      }
      const copied = chunk.copy(block, filled, taken)
      taken += copied
      filled += copied
    }
  }
  yield { block: block.subarray(0, filled), isLast: true }
}
