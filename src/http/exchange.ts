import type { IncomingHttpHeaders } from 'node:http'
import { formatRequestHead, type RequestHead, type ResponseHead } from './head.js'
import { HttpError, RequestSourceError } from './http-error.js'
import { IncomingBody } from './incoming-body.js'
import { OutgoingBody, type Write } from './outgoing-body.js'
import { keepsConnection, ResponseParser } from './response-parser.js'
import type { StallClock } from './stall-clock.js'

/** One request, ready to be sent. */
export interface OutgoingRequest extends RequestHead {
  /** Undefined when there is none. What is given whole goes out with the head. */
  readonly body: OutgoingBody | Uint8Array | undefined
  /** Ends the exchange with its reason, until everything has come. */
  readonly signal: AbortSignal
  /** Runs from now on until the exchange is over, which it ends when the time is up. */
  readonly clock: StallClock
  /** How long to wait for the answer once everything is sent. */
  readonly answerLimitMs: number
  /** The connection is closed after it. */
  readonly closes: boolean
}

/** What came back. The body must be read to its end or destroyed. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: IncomingBody
}

/** What an exchange needs of its connection. */
export interface ExchangeConnection {
  readonly write: Write
  resume(): void
  /** It is of no use any more, and closed at once. */
  destroy(error?: unknown): void
  /** All is sent and has come, and the server keeps the connection. @param head of the answer */
  free(head: ResponseHead): void
}

/** A request and its answer, over a connection that is theirs until both have come to their end. */
export class Exchange {
  readonly #request: OutgoingRequest
  readonly #connection: ExchangeConnection
  readonly #parser: ResponseParser
  #head: ResponseHead | undefined
  #body: IncomingBody | undefined
  #isOver = false
  #resolve: (answer: Answer) => void = () => {}
  #reject: (error: unknown) => void = () => {}
  readonly #abort = () => this.fail(this.#request.signal.reason)

  constructor(request: OutgoingRequest, connection: ExchangeConnection) {
    this.#request = request
    this.#connection = connection
    this.#parser = new ResponseParser(request.method, {
      head: (head, length) => this.#begin(head, length),
      data: bytes => this.#body?.add(bytes),
      end: () => this.#body?.end(),
    })
  }

  /**
   * Sends the request. Called once.
   *
   * @returns the answer as soon as its head has come, which may be before all of the request was sent
   * @throws HttpError, RequestSourceError, StallError, the system's error, or the reason of the signal
   */
  async start(): Promise<Answer> {
    const { signal, clock } = this.#request
    signal.throwIfAborted()
    const head = formatRequestHead(this.#request)
    return await new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      signal.addEventListener('abort', this.#abort)
      clock.begin(error => this.fail(error))
      this.#send(head).catch(error => {
        // Once there is an answer, it tells what became of the request.
        if (this.#head === undefined || error instanceof RequestSourceError) this.fail(error)
      })
    })
  }

  /** Where the next bytes of the answer should go; undefined where that does not matter. */
  landing(): Buffer | undefined {
    return this.#body?.landing()
  }

  /** Takes what came. @returns whether there is room for more */
  take(bytes: Buffer): boolean {
    this.#body?.landed(bytes)
    try {
      const used = this.#parser.add(bytes)
      if (this.#parser.isComplete) this.#finish(used === bytes.length)
    } catch (error) {
      this.fail(error)
    }
    if (this.#isOver) return true
    const isFull = this.#body?.isFull === true
    if (isFull) this.#request.clock.rest('receiving')
    else if (this.#body !== undefined) this.#request.clock.wait('receiving')
    return !isFull
  }

  /** The server has ended the connection. */
  ended(): void {
    try {
      this.#parser.end()
      this.#finish(false)
    } catch (error) {
      this.fail(error)
    }
  }

  /** Ends the exchange, and with it the connection. */
  fail(error: unknown): void {
    if (!this.#close()) return
    this.#reject(error)
    this.#body?.fail(error)
    this.#connection.destroy(error)
  }

  async #send(head: Buffer): Promise<void> {
    const { body, clock, answerLimitMs } = this.#request
    const { write } = this.#connection
    if (body instanceof OutgoingBody) {
      write(head).catch(() => {})
      await body.send(write)
      clock.wait('answer', answerLimitMs)
    } else {
      clock.wait('answer', answerLimitMs)
      await write(body === undefined ? head : Buffer.concat([head, body]))
    }
  }

  #begin(head: ResponseHead, length: number | undefined): void {
    this.#head = head
    this.#request.clock.wait('receiving')
    const body = new IncomingBody(
      {
        resume: () => {
          this.#request.clock.wait('receiving')
          this.#connection.resume()
        },
        abandon: () => this.fail(new HttpError('HTTP_CLOSED', 'the answer was not read to its end')),
      },
      length,
    )
    this.#body = body
    // A server that has refused the body already need not get the rest (RFC 9112, section 9.3).
    if (head.status >= 300 && this.#request.body instanceof OutgoingBody) this.#request.body.stop()
    this.#resolve({ status: head.status, headers: head.headers, body })
  }

  /** @param isClean nothing came after the answer, and the connection has not ended */
  #finish(isClean: boolean): void {
    if (!this.#close()) return
    const { body, closes } = this.#request
    const isSent = !(body instanceof OutgoingBody) || body.isGiven
    const head = this.#head
    if (isClean && isSent && !closes && head !== undefined && keepsConnection(head))
      this.#connection.free(head)
    else this.#connection.destroy()
  }

  /** @returns false when it was over already */
  #close(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    const { body, clock, signal } = this.#request
    signal.removeEventListener('abort', this.#abort)
    clock.end()
    if (body instanceof OutgoingBody) body.stop()
    return true
  }
}
