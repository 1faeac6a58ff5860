import { type FileHandle, open } from 'node:fs/promises'
import type { Digest } from '../content/digest.js'
import { type Expected, sizeMismatch } from '../content/verify.js'
import { systemCodeOf } from '../errors.js'

/** How much of a file is read at once. */
const READ_BYTES = 256 * 1024

/** Over a fast line a reader comes much sooner, and over a slow one little has come by then. */
const AWAITED_MS = 1000

/** The file that a content is written to, from its first byte to its last. */
interface Arrival {
  path: string
  /** How many bytes are there. */
  bytes: number
  /** How often it was begun. */
  attempt: number
  /** Whether all of it is there, and right. */
  isComplete: boolean
}

/** What comes next, before it is in the file. */
interface Offer {
  attempt: number
  offset: number
  bytes: Buffer
  /** Tells that it was read, or never will be. */
  done(): void
}

/** Who reads, and how far it came. */
interface Reader {
  position: number
}

/** Lets files be read while they are being written, by the digests of what they are to hold. */
export class Arrivals {
  readonly #arrivals = new Map<Digest, Arrival>()
  readonly #readers = new Map<Digest, Set<Reader>>()
  readonly #offers = new Map<Digest, Offer>()
  readonly #waiting = new Set<() => void>()
  /** Whether bytes wait for somebody who will read them. */
  #isReaderAwaited = false

  /** A file is there, and empty; also when it is begun anew. */
  begin(digest: Digest, path: string): void {
    const attempt = (this.#arrivals.get(digest)?.attempt ?? 0) + 1
    this.#arrivals.set(digest, { path, bytes: 0, attempt, isComplete: false })
    this.#wake()
  }

  /**
   * Lets bytes that are offered wait until somebody begins to read: while that is being prepared, they would only be written
   * to be read again.
   *
   * @param over is settled when nobody will come any more; it does not reject
   * @param mostMs how long they wait at most: what is prepared may want a connection that there is not until they have come
   */
  awaitReader(over: Promise<unknown>, mostMs = AWAITED_MS): void {
    this.#isReaderAwaited = true
    const stop = () => this.#releaseUnread()
    setTimeout(stop, mostMs).unref()
    void over.then(stop)
  }

  /**
   * Gives bytes that are about to be written to their reader, who need not look for them in the file then. One that lags
   * behind is waited for, if everything before is in the file: otherwise it would read all the rest from there.
   *
   * @returns undefined when nobody takes them; else the bytes are to stay as they are until it resolves. It never rejects
   */
  offer(digest: Digest, offset: number, bytes: Buffer): Promise<void> | undefined {
    const arrival = this.#arrivals.get(digest)
    const [reader, other] = this.#readers.get(digest) ?? []
    if (arrival === undefined || other !== undefined) return undefined
    if (reader === undefined && !this.#isReaderAwaited) return undefined
    if (reader !== undefined && reader.position !== offset && arrival.bytes !== offset) return undefined
    return new Promise(done => {
      this.#offers.set(digest, { attempt: arrival.attempt, offset, bytes, done })
      this.#wake()
    })
  }

  /** So many bytes are there in all. */
  grow(digest: Digest, bytes: number): void {
    const arrival = this.#arrivals.get(digest)
    if (arrival !== undefined) arrival.bytes = bytes
    this.#wake()
  }

  /** The file is complete and verified, and has got another name. */
  place(digest: Digest, path: string): void {
    const arrival = this.#arrivals.get(digest)
    if (arrival !== undefined) Object.assign(arrival, { path, isComplete: true })
    this.#wake()
  }

  /**
   * Reads a content as it comes, from its start. Each chunk is valid until the next one is asked for. It is not verified, but ends
   * only when the file is: what was read may have been wrong, and is copied once more then (rule R247).
   *
   * @param what for messages: `blob sha256:… of host/repository`
   * @throws ContentError `size-mismatch` when the file was begun anew meanwhile; why `signal` was aborted
   */
  async *read(
    expected: Expected,
    what: string,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void, undefined> {
    const { digest } = expected
    const reader = { position: 0 }
    const readers = this.#readers.get(digest) ?? new Set()
    this.#readers.set(digest, readers.add(reader))
    this.#releaseUnread()
    try {
      yield* this.#read(expected, reader, what, signal)
    } finally {
      readers.delete(reader)
      this.#takeOffer(digest)?.done()
    }
  }

  async *#read(
    { digest, size }: Expected,
    reader: Reader,
    what: string,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    let memory: Buffer | undefined
    let file: FileHandle | undefined
    let attempt: number | undefined
    try {
      for (;;) {
        const { position } = reader
        const isRead = position >= size
        const arrival = this.#arrivals.get(digest)
        if (attempt !== undefined && arrival?.attempt !== attempt)
          throw sizeMismatch(what, size, `${position}`)
        if (isRead && (size === 0 || arrival?.isComplete === true)) return
        const offer = isRead ? undefined : this.#takeOffer(digest, position)
        if (offer !== undefined) {
          attempt = offer.attempt
          try {
            yield offer.bytes
          } finally {
            reader.position += offer.bytes.length
            offer.done()
          }
        } else if (arrival === undefined || arrival.bytes <= position) await this.#change(signal)
        else {
          const { path } = arrival
          file ??= await tryOpen(arrival)
          // It has got another name a moment ago, and that will be told if it was not meanwhile.
          if (file === undefined && arrival.path === path) await this.#change(signal)
          if (file === undefined) continue
          attempt = arrival.attempt
          memory ??= Buffer.allocUnsafeSlow(Math.min(size, READ_BYTES))
          const most = Math.min(memory.length, arrival.bytes - position)
          const { bytesRead } = await file.read(memory, 0, most, position)
          if (bytesRead === 0) throw sizeMismatch(what, size, `${position}`)
          yield memory.subarray(0, bytesRead)
          reader.position += bytesRead
        }
      }
    } finally {
      await file?.close()
    }
  }

  /** Somebody has begun to read, or nobody will: what is not being read by now is not waited with. */
  #releaseUnread(): void {
    if (!this.#isReaderAwaited) return
    this.#isReaderAwaited = false
    for (const digest of [...this.#offers.keys()])
      if ((this.#readers.get(digest)?.size ?? 0) === 0) this.#takeOffer(digest)?.done()
  }

  /** @param offset where the offer has to begin, if that matters */
  #takeOffer(digest: Digest, offset?: number): Offer | undefined {
    const offer = this.#offers.get(digest)
    if (offer === undefined || (offset !== undefined && offer.offset !== offset)) return undefined
    this.#offers.delete(digest)
    return offer
  }

  async #change(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    let wake = () => {}
    try {
      await new Promise<void>(resolve => {
        wake = resolve
        this.#waiting.add(resolve)
        signal.addEventListener('abort', wake)
      })
    } finally {
      signal.removeEventListener('abort', wake)
    }
    signal.throwIfAborted()
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}

async function tryOpen({ path }: Arrival): Promise<FileHandle | undefined> {
  try {
    return await open(path)
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
