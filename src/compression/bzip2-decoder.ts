import { InputEnded } from './compression-error.js'

/** The block decoder of unbzip2-stream; that package's own stream keeps a whole block as an array of numbers. */
interface BlockDecoder {
  /** Reads `BZh` and the level. @throws when it is something else */
  header(bits: BitReader): number
  /** Decodes a block and returns the running checksum; null after checking it at the end of the stream. */
  decompress(
    bits: BitReader,
    emit: (byte: number) => void,
    work: Int32Array,
    workSize: number,
    checksum: number,
  ): number | null
}

/** Reads bits, most significant first. Given null, moves on to the next whole byte. */
type BitReader = (count: number | null) => number

/** A block is at most this many bytes for each level from 1 to 9; compressed it may be a little more. */
const BLOCK_UNIT = 100_000
const BLOCK_MARGIN = 25_000
const OUTPUT_SIZE = 64 * 1024

/** All streams, one after another. Bytes that follow and are no stream are left alone, as bzip2 does. */
export async function* bzip2Decoder(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const module: { default: BlockDecoder } = await import('unbzip2-stream/lib/bzip2.js')
  const decoder = module.default
  const bits = new BitBuffer(input)
  // One for all streams: a file may have many that are empty.
  let memory = new Int32Array(0)
  await bits.fill(4)
  while (bits.startsWith('BZh')) {
    const level = decoder.header(bits.read)
    if (memory.length < level * BLOCK_UNIT) memory = new Int32Array(level * BLOCK_UNIT)
    const work = memory.subarray(0, level * BLOCK_UNIT)
    let checksum: number | null = 0
    while (checksum !== null) {
      await bits.fill(level * BLOCK_UNIT + BLOCK_MARGIN)
      const output = new ByteCollector()
      checksum = decoder.decompress(bits.read, output.add, work, work.length, checksum)
      yield* output.chunks()
    }
    await bits.fill(4)
  }
}

/** Holds enough input for a whole block, since the decoder cannot wait in the middle of one. */
class BitBuffer {
  readonly #input: AsyncIterator<Buffer>
  #bytes: Buffer = Buffer.alloc(0)
  #position = 0
  #hasEnded = false
  /** The bits of the last byte that are still to be read, and how many. */
  #rest = 0
  #restCount = 0

  constructor(input: AsyncIterable<Buffer>) {
    this.#input = input[Symbol.asyncIterator]()
  }

  /** Reads on until this many bytes are there, or the input ends. */
  async fill(count: number): Promise<void> {
    if (this.#hasEnded) return
    const pieces = [this.#bytes.subarray(this.#position)]
    let size = pieces[0]?.length ?? 0
    // Blocks may be tiny: what is there for the next hundred thousand of them is not copied for each.
    if (size >= count) return
    while (size < count) {
      const next = await this.#input.next()
      if (next.done === true) {
        this.#hasEnded = true
        break
      }
      pieces.push(next.value)
      size += next.value.length
    }
    this.#bytes = Buffer.concat(pieces, size)
    this.#position = 0
  }

  startsWith(magic: string): boolean {
    return this.#bytes.toString('latin1', this.#position, this.#position + magic.length) === magic
  }

  readonly read: BitReader = count => {
    if (count === null) {
      this.#restCount = 0
      return 0
    }
    let result = 0
    let wanted = count
    while (wanted > 0) {
      if (this.#restCount === 0) this.#nextByte()
      const taken = Math.min(wanted, this.#restCount)
      this.#restCount -= taken
      wanted -= taken
      result = (result << taken) | ((this.#rest >> this.#restCount) & ((1 << taken) - 1))
    }
    return result
  }

  #nextByte(): void {
    const byte = this.#bytes[this.#position++]
    if (byte === undefined) throw new InputEnded('bzip2')
    this.#rest = byte
    this.#restCount = 8
  }
}

/** Gathers single bytes into chunks. */
class ByteCollector {
  readonly #full: Buffer[] = []
  #chunk = Buffer.allocUnsafe(OUTPUT_SIZE)
  #filled = 0

  readonly add = (byte: number): void => {
    if (this.#filled === OUTPUT_SIZE) {
      this.#full.push(this.#chunk)
      this.#chunk = Buffer.allocUnsafe(OUTPUT_SIZE)
      this.#filled = 0
    }
    this.#chunk[this.#filled++] = byte
  };

  *chunks(): Iterable<Buffer> {
    yield* this.#full
    yield this.#chunk.subarray(0, this.#filled)
  }
}
