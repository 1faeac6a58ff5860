import { availableParallelism } from 'node:os'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw, type ZlibOptions } from 'node:zlib'
import type { Digester } from '../content/digest.js'
import { joinChecksums } from './checksum.js'
import {
  BLOCK_SIZE,
  type BlockRoom,
  blocksAt,
  blocksOf,
  bytesOf,
  type DeflateBlock,
  DICTIONARY_SIZE,
  dictionaryOf,
  type OrderedAccess,
} from './deflate-block.js'
import { type BlockCompressor, type CompressedBlock, DeflateThreads } from './deflate-threads.js'
import { generatedStream } from './generated-stream.js'
import { Queue } from './queue.js'
import { RoomPool } from './room-pool.js'

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
 * Blocks in flight are bounded, so memory is too: see {@link DeflateThreads}.
 *
 * @param input is destroyed when the result is
 * @throws (as the stream's error) CompressionError `compressor-failed`; what the input throws
 * @example
 * await pipeline(gzipStream(createReadStream('layer.tar')), createWriteStream('layer.tar.gz'))
 */
export function gzipStream(input: Readable, { level }: GzipOptions = {}): Readable {
  return generatedStream(copies(member((take, see) => blocksOf(input, take, see), level)), input)
}

/**
 * Compresses a file, or what is at hand in chunks, as {@link gzipStream} does, to the same bytes, without the cost of streams.
 *
 * @param input is read in its order, each byte once; of chunks, at most 1 MiB is read ahead for each block that is on its
 * way; ended early by its owner
 * @param plain is given the uncompressed bytes
 * @param tell takes how many bytes have been read
 * @returns pieces of the output, each to be used before the next one is asked for: its memory takes another block then
 */
export function gzipPieces(
  input: OrderedAccess | AsyncIterable<Uint8Array>,
  plain: Digester,
  { level }: GzipOptions = {},
  tell: (offset: number) => void = () => {},
): AsyncGenerator<Uint8Array> {
  return member(
    (take, see) => ('readInto' in input ? blocksAt(input, take, see) : blocksOf(input, take, see)),
    level,
    bytes => {
      plain.update(bytes)
      tell(plain.size)
    },
  )
}

/** A stream's reader may take a piece when its memory has another use already. */
async function* copies(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) yield Buffer.from(piece)
}

type See = (bytes: Uint8Array) => void
/** Reads blocks into rooms. */
type Blocks = <Room extends BlockRoom>(
  take: () => Promise<Room>,
  see: See,
) => AsyncIterable<DeflateBlock<Room>>

async function* member(
  blocks: Blocks,
  level: number | undefined,
  see: See = () => {},
): AsyncGenerator<Uint8Array> {
  yield* level === undefined
    ? memberBy(DeflateThreads.use(), blocks, see)
    : memberBy(zlibCompressor(level), blocks, see)
}

/** Blocks are read while others are compressed and written: how many, the compressor's rooms decide. */
async function* memberBy<Room extends BlockRoom>(
  compressor: BlockCompressor<Room>,
  blocks: Blocks,
  see: See,
): AsyncGenerator<Uint8Array> {
  const { rooms } = compressor
  const onTheirWay = new Queue<{ block: DeflateBlock<Room>; compressed: Promise<CompressedBlock> }>()
  let checksum = 0
  let size = 0
  const readAll = async () => {
    for await (const block of blocks(() => rooms.take(), see)) {
      const compressed = compressor.compress(block)
      // Whoever waits for it gets the error; when nobody does any more, it must not count as unhandled.
      compressed.catch(() => {})
      onTheirWay.put({ block, compressed })
    }
  }
  try {
    yield HEADER
    readAll().then(
      () => onTheirWay.end(),
      error => onTheirWay.fail(error),
    )
    for await (const { block, compressed } of onTheirWay) {
      const made = await compressed
      yield made.bytes
      rooms.give(block.room)
      checksum = joinChecksums(checksum, made.checksum, block.size)
      size += block.size
    }
    yield trailer(checksum, size)
  } finally {
    compressor.close()
  }
}

const deflateAsync = promisify<Uint8Array, ZlibOptions, Buffer>(deflateRaw)

/** Node's own zlib, which has threads of its own. */
function zlibCompressor(level: number): BlockCompressor<BlockRoom> {
  const make = () => ({ input: new Uint8Array(DICTIONARY_SIZE + BLOCK_SIZE) })
  const rooms = new RoomPool<BlockRoom>(make, availableParallelism() + 1).join()
  return {
    rooms,
    compress: async block => {
      const checksum = crc32(bytesOf(block))
      const bytes = await deflateAsync(bytesOf(block), {
        level,
        finishFlush: block.isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
        chunkSize: BLOCK_SIZE / 2,
        ...(block.dictionarySize > 0 && { dictionary: dictionaryOf(block) }),
      })
      return { bytes, checksum }
    },
    close: () => rooms.close(),
  }
}

/** CRC-32 and size modulo 2^32 of the input, little-endian (RFC 1952, 2.3.1). */
function trailer(checksum: number, size: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(checksum, 0)
  bytes.writeUInt32LE(size % 2 ** 32, 4)
  return bytes
}
