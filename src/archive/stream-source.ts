import type { Readable } from 'node:stream'
import type { ByteSource } from '../tar/tar-reader.js'

/** Reads a tar from a stream, once and in order. */
export class StreamSource implements ByteSource {
  position = 0
  readonly #chunks: AsyncIterator<Buffer>
  #buffered: Buffer = Buffer.alloc(0)

  constructor(input: Readable) {
    this.#chunks = (input as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  }

  async read(length: number): Promise<Uint8Array> {
    const bytes = await this.peek(length)
    this.#advance(bytes.length)
    return bytes
  }

  /** The next bytes, which {@link read} or {@link take} then give again; fewer only at the end. */
  async peek(length: number): Promise<Buffer> {
    const pieces = [this.#buffered]
    let size = this.#buffered.length
    while (size < length) {
      const next = await this.#chunks.next()
      if (next.done === true) break
      pieces.push(next.value)
      size += next.value.length
    }
    if (pieces.length > 1) this.#buffered = Buffer.concat(pieces, size)
    return this.#buffered.subarray(0, length)
  }

  /** The next bytes as they come; fewer only at the end. */
  async *take(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; ) {
      const bytes = await this.#next(left)
      if (bytes === undefined) return
      left -= bytes.length
      yield bytes
    }
  }

  async skip(length: number): Promise<number> {
    let skipped = 0
    while (skipped < length) {
      const bytes = await this.#next(length - skipped)
      if (bytes === undefined) break
      skipped += bytes.length
    }
    return skipped
  }

  /** Reads to the end, so that whoever produces the stream can check and finish it. */
  async drain(): Promise<void> {
    await this.skip(Number.POSITIVE_INFINITY)
  }

  async #next(limit: number): Promise<Buffer | undefined> {
    if (this.#buffered.length === 0) {
      const next = await this.#chunks.next()
      if (next.done === true) return undefined
      this.#buffered = next.value
    }
    const bytes = this.#buffered.subarray(0, limit)
    this.#advance(bytes.length)
    return bytes
  }

  #advance(count: number): void {
    this.#buffered = this.#buffered.subarray(count)
    this.position += count
  }
}
