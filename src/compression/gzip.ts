import { availableParallelism } from 'node:os'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw, type ZlibOptions } from 'node:zlib'
import type { Digester } from '../content/digest.js'
import type { RandomAccess } from '../content/random-access.js'
import {
  BLOCK_SIZE,
  BlockBuffers,
  blocksAt,
  blocksOf,
  bytesOf,
  type DeflateBlock,
  type DeflatedBlock,
  dictionaryOf,
} from './deflate-block.js'
import { type BlockCompressor, DeflateThreads } from './deflate-threads.js'
import { generatedStream } from './generated-stream.js'

/** No name, no time, no flags, operating system "unknown" (RFC 1952, 2.3). */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])

/** How a stream is compressed. */
export interface GzipOptions {
  /**
   * One of zlib's levels, 0 to 9: then it is zlib that compresses. Without it our own compressor does, which is several
   * times as fast as zlib, and about as good as its level 1.
   */
  level?: number
}

/**
 * Compresses a stream into one gzip member, on all cores.
 *
 * The output is a function of the input bytes and the level alone: blocks are cut by offset, each is compressed with the
 * 32 KiB before it as dictionary (so hardly anything is lost against one pass) and ends on a byte boundary, as pigz does it.
 * Blocks in flight are bounded, so memory is too: about 2 MiB for each core.
 *
 * @param input is destroyed when the result is
 * @throws (as the stream's error) CompressionError `compressor-failed`; what the input throws
 * @example
 * await pipeline(gzipStream(createReadStream('layer.tar')), createWriteStream('layer.tar.gz'))
 */
export function gzipStream(input: Readable, { level }: GzipOptions = {}): Readable {
  const buffers = new BlockBuffers()
  return generatedStream(copies(member(blocksOf(input, buffers), buffers, level)), input)
}

/**
 * Compresses a file as {@link gzipStream} does, to the same bytes, without the cost of streams.
 *
 * @param plain is given the uncompressed bytes
 * @param tell takes how many bytes have been read
 * @returns pieces of the output, each to be used before the next one is asked for: its memory takes another block then
 */
export function gzipPieces(
  input: RandomAccess,
  plain: Digester,
  { level }: GzipOptions,
  tell: (offset: number) => void,
): AsyncGenerator<Uint8Array> {
  const buffers = new BlockBuffers()
  const see = (bytes: Buffer) => {
    plain.update(bytes)
    tell(plain.size)
  }
  return member(blocksAt(input, buffers), buffers, level, see)
}

/** A stream's reader may take a piece when its memory has another use already. */
async function* copies(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) yield Buffer.from(piece)
}

async function* member(
  blocks: AsyncIterable<DeflateBlock>,
  buffers: BlockBuffers,
  level: number | undefined,
  see: (bytes: Buffer) => void = () => {},
): AsyncGenerator<Uint8Array> {
  const mostInFlight = availableParallelism() + 1
  const inFlight: Promise<DeflatedBlock>[] = []
  const compressor = level === undefined ? DeflateThreads.use() : zlibCompressor(level)
  async function* next() {
    const { compressed, buffer } = await (inFlight.shift() as Promise<DeflatedBlock>)
    yield compressed
    buffers.give(buffer)
  }
  let checksum = 0
  let size = 0
  try {
    yield HEADER
    for await (const block of blocks) {
      const bytes = bytesOf(block)
      checksum = crc32(bytes, checksum)
      see(bytes)
      size += block.size
      const deflated = compressor.compress(block)
      // Whoever waits for it gets the error; when nobody does any more, it must not count as unhandled.
      deflated.catch(() => {})
      inFlight.push(deflated)
      if (inFlight.length >= mostInFlight) yield* next()
    }
    while (inFlight.length > 0) yield* next()
    yield trailer(checksum, size)
  } finally {
    compressor.close()
  }
}

const deflateAsync = promisify<Buffer, ZlibOptions, Buffer>(deflateRaw)

/** Node's own zlib, which has threads of its own. */
function zlibCompressor(level: number): BlockCompressor {
  return {
    async compress(block: DeflateBlock): Promise<DeflatedBlock> {
      const compressed = await deflateAsync(bytesOf(block), {
        level,
        finishFlush: block.isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
        chunkSize: BLOCK_SIZE / 2,
        ...(block.dictionarySize > 0 && { dictionary: dictionaryOf(block) }),
      })
      return { compressed, buffer: block.buffer }
    },
    close() {},
  }
}

/** CRC-32 and size modulo 2^32 of the input, little-endian (RFC 1952, 2.3.1). */
function trailer(checksum: number, size: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(checksum, 0)
  bytes.writeUInt32LE(size % 2 ** 32, 4)
  return bytes
}
