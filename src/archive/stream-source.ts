import type { Readable } from 'node:stream'
import type { ByteSource } from '../tar/tar-reader.js'
import { PipeStream } from './pipe-stream.js'

const CHUNK_BYTES = 64 * 1024

/** Reads a tar from a stream, once and in order. */
export class StreamSource implements ByteSource {
  position = 0
  readonly #pipe: PipeStream | undefined
  readonly #chunks: AsyncIterator<Buffer>
  #buffered: Buffer = Buffer.alloc(0)

  constructor(input: Readable) {
    this.#pipe = input instanceof PipeStream ? input : undefined
    this.#chunks = this.#pipe
      ? chunksOf(this.#pipe)
      : (input as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
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

  /**
   * The next bytes into memory that is there already.
   *
   * @param seen takes them piece by piece as they come
   * @returns how many there were, fewer only at the end
   */
  async readInto(into: Uint8Array, seen: (bytes: Uint8Array) => void): Promise<number> {
    let filled = 0
    while (filled < into.length) {
      const rest = into.subarray(filled)
      const isDirect = this.#pipe !== undefined && this.#buffered.length === 0
      const count = isDirect ? await this.#fill(rest, seen) : await this.#copyNext(rest, seen)
      if (count === 0) break
      filled += count
    }
    return filled
  }

  /** All that is left, as it comes. */
  async *rest(): AsyncGenerator<Buffer> {
    yield* this.take(Number.POSITIVE_INFINITY)
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

  async #fill(into: Uint8Array, seen: (bytes: Uint8Array) => void): Promise<number> {
    const count = (await this.#pipe?.readInto(into, into.length, seen)) ?? 0
    this.position += count
    return count
  }

  async #copyNext(into: Uint8Array, seen: (bytes: Uint8Array) => void): Promise<number> {
    const bytes = await this.#next(into.length)
    if (bytes === undefined) return 0
    into.set(bytes)
    seen(bytes)
    return bytes.length
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

async function* chunksOf(pipe: PipeStream): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    const count = await pipe.readInto(chunk, 1)
    if (count === 0) return
    yield chunk.subarray(0, count)
  }
}
