import { blockSize, contentSize, windowSize } from './zstd-frames.js'

/** The most bytes of output for which a frame is looked through before it is decoded. */
const LOOKED_AT = 1024 * 1024
/** The most blocks that are looked at. */
const LOOKED_AT_BLOCKS = 64
/** The smallest window there is (RFC 8878, 3.1.1.1.2). */
const SMALLEST_WINDOW = 1024
/** Before that many bytes of windows were moved, nobody asks what for: some seconds of work. */
const HARMLESS_WORK = 32 * 1024 ** 3
/** A window of 128 MiB for blocks of 128 KiB, which is as bad as it gets in earnest, twice. */
const WORK_PER_BYTE = 2048

/**
 * Gives a frame that turns out to be small a window that is no larger than what comes out of it: the decoder makes the
 * window that the header asks for, however little there is, and moves it with each block.
 *
 * @param frame its header, then its blocks, each whole, then its checksum if it has one
 */
export async function* withFittingWindow(frame: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const pieces = frame[Symbol.asyncIterator]()
  const { value: header } = await pieces.next()
  if (header === undefined) return
  const seen: Buffer[] = []
  let size = 0
  let isWhole = false
  while (!isWhole && size <= LOOKED_AT && seen.length < LOOKED_AT_BLOCKS) {
    const next = await pieces.next()
    if (next.done === true) break
    seen.push(next.value)
    const block = blockSize(next.value)
    size += block.output
    isWhole = block.isLast
  }
  yield isWhole && size <= LOOKED_AT ? fitted(header, size) : header
  yield* seen
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value
}

/** The same header with a smaller window, without the size of the content. One that names a dictionary stays. */
function fitted(header: Buffer, size: number): Buffer {
  const descriptor = header[4] ?? 0
  if ((descriptor & 3) !== 0) return header
  const exponent = Math.ceil(Math.log2(Math.max(size, SMALLEST_WINDOW) / SMALLEST_WINDOW))
  // Of the descriptor, only whether there is a checksum is left.
  return Buffer.concat([header.subarray(0, 4), Buffer.from([descriptor & 4, exponent << 3])])
}

/** Counts what the decoder moves in memory, which a file of a few bytes for each block could make endless (rule R226). */
export class WindowWork {
  #window = 0
  #moved = 0
  #written = 0

  startFrame(header: Buffer): void {
    const isSingleSegment = ((header[4] ?? 0) & 0x20) !== 0
    this.#window = isSingleSegment ? contentSize(header, header[4] ?? 0) : windowSize(header)
    this.#moved += this.#window
  }

  /** @throws Error when that is out of all proportion to what comes out */
  addBlock(written: number): void {
    this.#moved += this.#window
    this.#written += written
    if (this.#moved > HARMLESS_WORK && this.#moved > this.#written * WORK_PER_BYTE) {
      throw new Error('zstd blocks are too small for their window')
    }
  }
}
