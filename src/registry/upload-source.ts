import type { BlobContent } from '../content/store.js'
import { sizeMismatch } from '../content/verify.js'
import type { RequestBody } from './send.js'

/** One pass over the blob, and how far it has come. */
interface Reading {
  readonly next: () => Promise<Buffer | undefined>
  readonly end: () => void
  offset: number
  /** What was read and is not yet taken. It is valid, since nothing was asked for after it. */
  rest: Buffer | undefined
  /** A request that has not taken all of its bytes may still be reading. */
  isTaken: boolean
}

/**
 * The bytes of a blob as the bodies of requests, one piece after another. As long as each piece follows on the one before,
 * the blob is read in one pass and so verified, unless it can be checked by itself; after a failure it is opened again at the offset that is needed.
 */
export class UploadSource {
  readonly #blob: BlobContent
  #reading: Reading | undefined

  constructor(blob: BlobContent) {
    this.#blob = blob
  }

  /** Begins to read, while the registry is asked where to send it to. What fails is told to the request that reads on. */
  prepare(): void {
    if (this.#reading?.isTaken === false && this.#reading.offset === 0) return
    const { next, ...rest } = this.#begin(0)
    let first: Promise<Buffer | undefined> | undefined = next()
    first.catch(() => {})
    const afterFirst = () => {
      const chunk = first ?? next()
      first = undefined
      return chunk
    }
    this.#reading = { ...rest, next: afterFirst }
  }

  /**
   * The body of a request: `length` bytes from `from` on.
   *
   * @param told is called with the absolute offset up to which bytes were handed over
   */
  body(from: number, length: number, told: (offset: number) => void): RequestBody {
    const open = async () => {
      const reading = this.#readingAt(from)
      reading.isTaken = true
      // Nothing is sent for a source that can't be read at all.
      if (length > 0) reading.rest ??= await reading.next()
      return this.#take(reading, length, told)
    }
    return { length, open }
  }

  /** Ends the reading. */
  close(): void {
    this.#reading?.end()
    this.#reading = undefined
  }

  #readingAt(from: number): Reading {
    const present = this.#reading
    if (present !== undefined && !present.isTaken && present.offset === from) return present
    this.#reading = this.#begin(from)
    return this.#reading
  }

  #begin(from: number): Reading {
    this.close()
    const chunks = chunksFrom(this.#blob, from)
    const next = async () => {
      const { done, value } = await chunks.next()
      return done === true ? undefined : value
    }
    // It ends as soon as what it waits for has come; nobody waits for that.
    const end = () => void chunks.return().catch(() => {})
    return { next, end, offset: from, rest: undefined, isTaken: false }
  }

  async *#take(reading: Reading, length: number, told: (offset: number) => void): AsyncGenerator<Buffer> {
    const end = reading.offset + length
    while (reading.offset < end) {
      const chunk = reading.rest ?? (await reading.next())
      if (chunk === undefined) throw this.#wrongSize(`${reading.offset}`)
      const room = end - reading.offset
      let piece = chunk.length > room ? chunk.subarray(0, room) : chunk
      reading.rest = chunk.length > room ? chunk.subarray(room) : undefined
      reading.offset += piece.length
      if (reading.offset === this.#blob.descriptor.size) {
        // Its memory is used again by what comes after it, if anything does.
        piece = Buffer.from(piece)
        await this.#checkEnd(reading)
      }
      // What reads on may come as soon as the last bytes are out.
      if (reading.offset === end) reading.isTaken = false
      told(reading.offset)
      yield piece
    }
  }

  /** Bytes from an offset on are not verified: the least that is seen is that they go on where they should end. */
  async #checkEnd(reading: Reading): Promise<void> {
    const more = reading.rest ?? (await reading.next())
    if (more !== undefined) throw this.#wrongSize(`at least ${reading.offset + more.length}`)
  }

  #wrongSize(found: string): Error {
    const { descriptor, origin } = this.#blob
    return sizeMismatch(`blob ${descriptor.digest} of ${origin.label}`, descriptor.size, found)
  }
}

async function* chunksFrom(blob: BlobContent, from: number): AsyncGenerator<Buffer, void, undefined> {
  // What can be checked by itself is checked by the registry, unless that gives reason to doubt.
  const options = { unverified: blob.check !== undefined }
  yield* blob.chunks?.(from, options) ?? (await blob.open(from, options))
}
