import { type Framing, framingOf } from './framing.js'
import { HeadReader, type ResponseHead } from './head.js'
import { HttpError } from './http-error.js'

/** What a {@link ResponseParser} tells, in this order. */
export interface ResponseListener {
  /** @param length of the body in bytes; undefined when it is not known yet */
  head(head: ResponseHead, length: number | undefined): void
  /** Some bytes of the body, as they lie in what was given. */
  data(bytes: Buffer): void
  end(): void
}

/** Reads one answer from the bytes of a connection, however they are cut. It passes over hints of what is to come (1xx). */
export class ResponseParser {
  readonly #method: string
  readonly #listener: ResponseListener
  readonly #reader = new HeadReader()
  #framing: Framing | undefined
  #isComplete = false

  /** @param method that of the request: an answer to HEAD has no body */
  constructor(method: string, listener: ResponseListener) {
    this.#method = method
    this.#listener = listener
  }

  get isComplete(): boolean {
    return this.#isComplete
  }

  /**
   * Takes the next bytes.
   *
   * @returns how many of them belong to this answer
   * @throws HttpError `HTTP_MALFORMED`, `HTTP_HEAD_TOO_LARGE`
   */
  add(bytes: Buffer): number {
    let at = 0
    while (this.#framing === undefined) {
      const found = at < bytes.length ? this.#reader.add(bytes.subarray(at)) : undefined
      if (found === undefined) return bytes.length
      at += found.used
      this.#begin(found.head)
    }
    if (!this.#isComplete) at = this.#framing.add(bytes, at, data => this.#listener.data(data))
    this.#endIf(this.#framing.isComplete)
    return at
  }

  /** The connection has ended. @throws HttpError `HTTP_CLOSED` unless that is the end of the answer */
  end(): void {
    this.#endIf(this.#framing?.endsWithConnection === true)
    if (!this.#isComplete)
      throw new HttpError('HTTP_CLOSED', 'the connection was closed before the end of the answer')
  }

  #begin(head: ResponseHead): void {
    if (head.status === 101) throw new HttpError('HTTP_MALFORMED', 'the answer changes to another protocol')
    if (head.status < 200) return
    this.#framing = framingOf(this.#method, head)
    this.#listener.head(head, this.#framing.length)
  }

  #endIf(isEnd: boolean): void {
    if (!isEnd || this.#isComplete) return
    this.#isComplete = true
    this.#listener.end()
  }
}

/** Whether a server keeps the connection after an answer (RFC 9112, section 9.3). */
export function keepsConnection({ minorVersion, headers }: ResponseHead): boolean {
  const { connection } = headers
  if (connection === undefined) return minorVersion === 1
  const options = [connection].flat().join(',')
  return minorVersion === 1 && !/(?:^|,)[\t ]*close[\t ]*(?:,|$)/i.test(options)
}
