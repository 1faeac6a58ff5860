import { Readable } from 'node:stream'
import type { BlobContent } from '../content/store.js'
import { sizeMismatch } from '../content/verify.js'
import type { RequestBody } from './send.js'

/** A stream over the blob, and how far it has been read. */
interface Reading {
  readonly stream: Readable
  readonly chunks: AsyncIterator<Buffer>
  offset: number
  /** What was read and is not yet taken. */
  rest: Buffer | undefined
  /** A request that has not taken all of its bytes may still be reading. */
  isTaken: boolean
}

/**
 * The bytes of a blob as the bodies of requests, one piece after another. As long as each piece follows on the one before,
 * the blob is read in one pass and so verified; after a failure it is opened again at the offset that is needed.
 */
export class UploadSource {
  readonly #blob: BlobContent
  #reading: Reading | undefined

  constructor(blob: BlobContent) {
    this.#blob = blob
  }

  /**
   * The body of a request: `length` bytes from `from` on.
   *
   * @param told is called with the absolute offset up to which bytes were handed over
   */
  body(from: number, length: number, told: (offset: number) => void): RequestBody {
    const open = async () => {
      const reading = await this.#readingAt(from)
      reading.isTaken = true
      return Readable.from(this.#take(reading, length, told))
    }
    return { length, open }
  }

  /** Ends the reading. */
  close(): void {
    this.#reading?.stream.destroy()
    this.#reading = undefined
  }

  async #readingAt(from: number): Promise<Reading> {
    const present = this.#reading
    if (present !== undefined && !present.isTaken && present.offset === from) return present
    this.close()
    const stream = await this.#blob.open(from)
    // It may fail while no request is reading: that is told to the next one that does.
    stream.on('error', () => {})
    const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    this.#reading = { stream, chunks, offset: from, rest: undefined, isTaken: false }
    return this.#reading
  }

  async *#take(reading: Reading, length: number, told: (offset: number) => void): AsyncGenerator<Buffer> {
    const end = reading.offset + length
    while (reading.offset < end) {
      const chunk = reading.rest ?? (await this.#next(reading))
      if (chunk === undefined) throw this.#wrongSize(`${reading.offset}`)
      const room = end - reading.offset
      const piece = chunk.length > room ? chunk.subarray(0, room) : chunk
      reading.rest = chunk.length > room ? chunk.subarray(room) : undefined
      reading.offset += piece.length
      if (reading.offset === this.#blob.descriptor.size) await this.#checkEnd(reading)
      // What reads on may come as soon as the last bytes are out.
      if (reading.offset === end) reading.isTaken = false
      told(reading.offset)
      yield piece
    }
  }

  /** A stream from an offset on is not verified: the least that is seen is that it goes on where it should end. */
  async #checkEnd(reading: Reading): Promise<void> {
    const more = reading.rest ?? (await this.#next(reading))
    if (more !== undefined) throw this.#wrongSize(`at least ${reading.offset + more.length}`)
  }

  async #next({ chunks }: Reading): Promise<Buffer | undefined> {
    const next = await chunks.next()
    return next.done === true ? undefined : next.value
  }

  #wrongSize(found: string): Error {
    const { descriptor, origin } = this.#blob
    return sizeMismatch(`blob ${descriptor.digest} of ${origin.label}`, descriptor.size, found)
  }
}
