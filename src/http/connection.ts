import type { Socket } from 'node:net'
import { monotonicMs } from '../monotonic-clock.js'
import { type Answer, Exchange, type OutgoingRequest } from './exchange.js'
import type { ResponseHead } from './head.js'
import { HttpError } from './http-error.js'
import { hearLastWords } from './last-words.js'
import type { SocketReader } from './socket.js'

/** How long a connection is kept that nobody uses, when the server says nothing of it. */
const KEEP_MS = 4_000
const LONGEST_KEEP_MS = 600_000
/** So much sooner than the server would close it. */
const KEEP_MARGIN_MS = 2_000
/**
 * Where sockets read to while no large body comes. One for all: what is read is taken from it before anything else is read.
 */
const SCRATCH = Buffer.allocUnsafeSlow(64 * 1024)

/** A connection to a server, over which one exchange goes at a time. */
export class Connection {
  #socket: Socket | undefined
  #exchange: Exchange | undefined
  #failure: unknown
  #isClosed = false
  /** When it is of no use any more, unless somebody takes it. */
  #keptUntil = 0
  /** Is called when an exchange is over and the connection can be used again. */
  onFree: () => void = () => {}
  /** Is called once, when it is closed. */
  onClose: () => void = () => {}

  /** What its socket is to be made with. */
  readonly reader: SocketReader = {
    landing: () => this.#exchange?.landing() ?? SCRATCH,
    take: bytes => {
      if (this.#exchange !== undefined) return this.#exchange.take(bytes)
      // Nothing was asked: whatever it says, it would be taken for the answer to the next request.
      this.destroy(new HttpError('HTTP_MALFORMED', 'the server speaks without having been asked'))
      return false
    },
  }

  /** Uses a socket that is connected and was made with the {@link reader}. */
  attach(socket: Socket): void {
    this.#socket = socket
    hearLastWords(socket)
    socket.on('end', () => {
      if (this.#exchange === undefined) this.destroy()
      else this.#exchange.ended()
    })
    socket.on('error', error => this.destroy(error))
    socket.on('close', () => this.destroy(new HttpError('HTTP_CLOSED', 'the connection was closed')))
  }

  /** Whether it is idle, and the server has probably not closed it yet. */
  get isUsable(): boolean {
    return !this.#isClosed && this.#exchange === undefined && monotonicMs() < this.#keptUntil
  }

  /** Sends a request and waits for the answer, see {@link Exchange}. */
  async exchange(request: OutgoingRequest): Promise<Answer> {
    const socket = this.#socket
    if (this.#isClosed || socket === undefined)
      throw this.#failure ?? new HttpError('HTTP_CLOSED', 'the connection is closed')
    socket.ref()
    this.#exchange = new Exchange(request, {
      write: bytes =>
        new Promise((resolve, reject) => {
          socket.write(bytes, error => {
            if (error instanceof Error) reject(error)
            else resolve()
          })
        }),
      resume: () => socket.resume(),
      destroy: error => this.destroy(error),
      free: head => this.#free(head),
    })
    try {
      return await this.#exchange.start()
    } catch (error) {
      // It may have failed before anything was sent, and then nobody else closes it.
      this.destroy(error)
      throw error
    }
  }

  /** Closes it at once, and ends its exchange. */
  destroy(error?: unknown): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#failure = error
    this.#socket?.destroy()
    this.#exchange?.fail(error ?? new HttpError('HTTP_CLOSED', 'the connection was closed'))
    this.onClose()
  }

  #free(head: ResponseHead): void {
    this.#exchange = undefined
    this.#keptUntil = monotonicMs() + keepMsOf(head)
    // Nobody waits for what is kept.
    this.#socket?.unref()
    this.onFree()
  }
}

/** How long a server keeps a connection, as it says (`Keep-Alive: timeout=5`) or as is usual. */
function keepMsOf({ headers }: ResponseHead): number {
  const { 'keep-alive': keepAlive } = headers
  const hint =
    keepAlive === undefined ? undefined : /(?:^|[\s,;])timeout=(\d{1,9})/i.exec(`${keepAlive}`)?.[1]
  return hint === undefined ? KEEP_MS : Math.min(Number(hint) * 1000 - KEEP_MARGIN_MS, LONGEST_KEEP_MS)
}
