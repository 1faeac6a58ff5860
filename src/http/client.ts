import type { Socket } from 'node:net'
import { Ending } from './connecting.js'
import { Connection } from './connection.js'
import type { Answer, OutgoingRequest } from './exchange.js'
import { HttpError } from './http-error.js'
import { OutgoingBody } from './outgoing-body.js'
import { type Destination, openSocket, type TlsSessions } from './socket.js'

/**
 * An HTTP/1.1 client (RFC 9112) that leaves bodies as they are. It keeps connections for further requests to the same
 * destination, and makes as many as there are requests at once: limits are the caller's. What is kept does not hold the
 * process. Nothing is sent twice.
 */
export class HttpClient implements Disposable {
  readonly #connectTimeoutMs: number
  /** Idle connections by destination; the one that was used last comes last. */
  readonly #idle = new Map<string, Connection[]>()
  readonly #open = new Set<Connection>()
  readonly #sessions: TlsSessions = new Map()
  readonly #ending = new Ending()
  #isClosed = false

  /** @param connectTimeoutMs how long it may take to connect, TLS handshake included */
  constructor({ connectTimeoutMs }: { connectTimeoutMs: number }) {
    this.#connectTimeoutMs = connectTimeoutMs
  }

  /**
   * Sends a request over a connection that is kept, or over a fresh one.
   *
   * @returns the answer as soon as its head has come; the body of the request is ended also when it was never sent
   * @throws what `openSocket` and `Exchange` throw
   */
  async send(destination: Destination, request: OutgoingRequest): Promise<Answer> {
    try {
      const connection = this.#takeIdle(destination.key) ?? (await this.#connect(destination, request.signal))
      return await connection.exchange(request)
    } catch (error) {
      if (request.body instanceof OutgoingBody) request.body.stop()
      throw error
    }
  }

  /** Closes every connection at once, those as well that are not made yet. */
  [Symbol.dispose](): void {
    const disposed = closedError()
    this.#isClosed = true
    this.#ending.end(disposed)
    for (const connection of this.#open) connection.destroy(disposed)
  }

  #takeIdle(key: string): Connection | undefined {
    const idle = this.#idle.get(key) ?? []
    for (;;) {
      const connection = idle.pop()
      if (connection === undefined || connection.isUsable) return connection
      connection.destroy()
    }
  }

  async #connect(destination: Destination, signal: AbortSignal): Promise<Connection> {
    const connection = new Connection()
    connection.attach(await this.#openSocket(destination, connection, signal))
    const idle = this.#idle.get(destination.key) ?? []
    this.#idle.set(destination.key, idle)
    this.#open.add(connection)
    connection.onFree = () => idle.push(connection)
    connection.onClose = () => {
      this.#open.delete(connection)
      const at = idle.indexOf(connection)
      if (at !== -1) idle.splice(at, 1)
    }
    return connection
  }

  async #openSocket(destination: Destination, { reader }: Connection, signal: AbortSignal): Promise<Socket> {
    if (this.#isClosed) throw closedError()
    const options = { timeoutMs: this.#connectTimeoutMs, signal, ending: this.#ending }
    return await openSocket(destination, reader, options, this.#sessions)
  }
}

function closedError(): HttpError {
  return new HttpError('HTTP_DISPOSED', 'the client was closed')
}
