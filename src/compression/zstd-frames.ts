import type { ChunkReader } from './chunk-reader.js'
import { InputEnded } from './compression-error.js'

const MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
/** The most bytes of a block (RFC 8878, 3.1.1.2.4). */
const MAXIMUM_BLOCK = 128 * 1024
/** The largest window that is accepted: that of `zstd --ultra -22` and `--long=27`. More would need that much memory. */
const MAXIMUM_WINDOW = 2 ** 27
/** Type of a block that is one byte, repeated. */
const RUN_LENGTH = 1
/** Type of a block of which only the compressed size is known. */
const COMPRESSED = 2

/**
 * Moves to the next frame with content, past skippable ones (RFC 8878, 3.1.2).
 *
 * @returns false at the end of the file
 * @throws InputEnded when it ends inside a frame; Error when something else follows
 */
export async function nextFrame(reader: ChunkReader): Promise<boolean> {
  for (;;) {
    if ((await reader.peek(1)).length === 0) return false
    const start = await reader.peek(4)
    if (start.length < 4) throw new InputEnded()
    const magic = start.readUInt32LE()
    if (magic === MAGIC) return true
    if ((magic & 0xfffffff0) >>> 0 !== SKIPPABLE_MAGIC) throw new Error('what follows is no zstd frame')
    let left = (await reader.read(8)).readUInt32LE(4)
    for (; left > 0; left -= Math.min(left, MAXIMUM_BLOCK)) await reader.read(Math.min(left, MAXIMUM_BLOCK))
  }
}

/**
 * The bytes of one frame: its header, its blocks, each whole, and its checksum (RFC 8878, 3.1.1).
 *
 * @throws InputEnded when it ends too early; Error when a block or its window is too large
 */
export async function* frameOf(reader: ChunkReader): AsyncGenerator<Buffer> {
  const descriptor = (await reader.peek(5))[4] ?? 0
  const header = await reader.read(headerSize(descriptor))
  requireWindow(header, descriptor)
  yield header
  for (let isLast = false; !isLast; ) {
    const blockHeader = await reader.read(3)
    const bits = blockHeader.readUIntLE(0, 3)
    isLast = (bits & 1) === 1
    const size = ((bits >> 1) & 3) === RUN_LENGTH ? 1 : bits >> 3
    if (size > MAXIMUM_BLOCK) throw new Error('a zstd block is too large')
    yield Buffer.concat([blockHeader, await reader.read(size)])
  }
  if ((descriptor & 4) !== 0) yield await reader.read(4)
}

/** Of a whole block: the most bytes that come out of it, and whether it is the last of its frame (RFC 8878, 3.1.1.2). */
export function blockSize(block: Buffer): { output: number; isLast: boolean } {
  const bits = block.readUIntLE(0, 3)
  return { output: ((bits >> 1) & 3) === COMPRESSED ? MAXIMUM_BLOCK : bits >> 3, isLast: (bits & 1) === 1 }
}

/** Magic, descriptor, window, dictionary and content size (RFC 8878, 3.1.1.1). */
function headerSize(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0
  const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  return 5 + (isSingleSegment ? 0 : 1) + dictionary + contentSize
}

/** What has to be kept of the output to decode the rest. */
function requireWindow(header: Buffer, descriptor: number): void {
  const isSingleSegment = (descriptor & 0x20) !== 0
  if ((isSingleSegment ? contentSize(header, descriptor) : windowSize(header)) > MAXIMUM_WINDOW) {
    throw new Error('the window of a zstd frame is too large')
  }
}

/** The window that a header with one asks for, in bytes (RFC 8878, 3.1.1.1.2). */
export function windowSize(header: Buffer): number {
  const window = header[5] ?? 0
  const base = 2 ** (10 + (window >> 3))
  return base + (base / 8) * (window & 7)
}

/** Of a frame that is one segment; the field is the last of the header. */
export function contentSize(header: Buffer, descriptor: number): number {
  switch (descriptor >> 6) {
    case 0:
      return header.readUInt8(header.length - 1)
    case 1:
      return header.readUInt16LE(header.length - 2) + 256
    case 2:
      return header.readUInt32LE(header.length - 4)
    default:
      return Number(header.readBigUInt64LE(header.length - 8))
  }
}
