import { Readable } from 'node:stream'
import { monotonicMs } from '../monotonic-clock.js'
import { HttpError, RequestSourceError } from './http-error.js'
import type { StallClock } from './stall-clock.js'

/**
 * The bytes of a request. A chunk is valid until the next one is asked for, so that its source can use its memory again: it is
 * asked when the system has taken the bytes. What is left over is ended by `return`, a stream by `destroy`.
 */
export type OutgoingBytes = Uint8Array | AsyncIterable<Uint8Array>

/** So much is sent together with the head. */
export const SMALL_BODY_BYTES = 64 * 1024
/**
 * What is given to the socket at once: that it takes a piece shows that the connection moves. Larger ones cost less, so they
 * grow as long as each is taken quickly.
 */
const PIECE_BYTES = 64 * 1024
const LARGEST_PIECE_BYTES = 1024 * 1024
const QUICK_MS = 250

/** Gives bytes to the connection. Resolves when the system has taken them; rejects when it does not. */
export type Write = (bytes: Uint8Array) => Promise<void>

/** Sends the body of one request. It owns the source: {@link stop} comes at the end in any case. */
export class OutgoingBody {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>
  readonly #source: OutgoingBytes
  readonly #length: number
  readonly #clock: StallClock
  #given = 0
  #isStopped = false

  /** @param length in bytes, as announced @param clock runs while the connection takes nothing, and rests else */
  constructor(source: OutgoingBytes, length: number, clock: StallClock) {
    this.#source = source
    this.#length = length
    this.#clock = clock
    // It may fail before anybody asks it for something.
    if (source instanceof Readable) source.on('error', () => {})
    this.#chunks = source instanceof Uint8Array ? [source].values() : source[Symbol.asyncIterator]()
  }

  /** Whether the connection was given all of it. */
  get isGiven(): boolean {
    return this.#given === this.#length
  }

  /**
   * Sends it to its end, or until it is stopped.
   *
   * @throws RequestSourceError; HttpError `HTTP_BODY_LENGTH`; what `write` throws
   */
  async send(write: Write): Promise<void> {
    let pieceBytes = PIECE_BYTES
    for (;;) {
      const chunk = await this.#next()
      if (this.#isStopped) return
      if (chunk === undefined) break
      if (this.#given + chunk.length > this.#length) throw this.#wrongLength('longer')
      for (let start = 0; start < chunk.length && !this.#isStopped; ) {
        const piece = chunk.subarray(start, start + pieceBytes)
        start += piece.length
        this.#given += piece.length
        this.#clock.wait('sending')
        const began = monotonicMs()
        await write(piece)
        this.#clock.rest('sending')
        const isQuick = monotonicMs() - began < QUICK_MS
        pieceBytes = isQuick ? Math.min(pieceBytes * 2, LARGEST_PIECE_BYTES) : PIECE_BYTES
      }
    }
    if (!this.isGiven) throw this.#wrongLength('shorter')
  }

  /** No more of it is sent, whatever came of it. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    if (this.#source instanceof Readable) this.#source.destroy()
    // It may be waiting for what never comes: that is its own affair.
    else Promise.resolve(this.#chunks.return?.()).catch(() => {})
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#chunks.next()
      return done === true ? undefined : value
    } catch (error) {
      if (this.#isStopped) return undefined
      throw new RequestSourceError(error)
    }
  }

  #wrongLength(word: string): HttpError {
    return new HttpError(
      'HTTP_BODY_LENGTH',
      `the body is ${word} than the ${this.#length} bytes that were announced`,
    )
  }
}
