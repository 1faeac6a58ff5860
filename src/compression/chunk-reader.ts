import { InputEnded } from './compression-error.js'

/** Reads exact counts of bytes from chunks. */
export class ChunkReader {
  readonly #chunks: AsyncIterator<Buffer>
  #buffered: Buffer = Buffer.alloc(0)

  constructor(input: AsyncIterable<Buffer>) {
    this.#chunks = input[Symbol.asyncIterator]()
  }

  /** @throws InputEnded when there are fewer */
  async read(count: number): Promise<Buffer> {
    const bytes = await this.peek(count)
    if (bytes.length < count) throw new InputEnded()
    this.#buffered = this.#buffered.subarray(count)
    return bytes
  }

  /** The next bytes, without taking them; fewer only at the end. */
  async peek(count: number): Promise<Buffer> {
    const pieces = [this.#buffered]
    let size = this.#buffered.length
    while (size < count) {
      const next = await this.#chunks.next()
      if (next.done === true) break
      pieces.push(next.value)
      size += next.value.length
    }
    if (pieces.length > 1) this.#buffered = Buffer.concat(pieces, size)
    return this.#buffered.subarray(0, count)
  }
}
