import type { Socket } from 'node:net'
import { HttpError } from './http-error.js'

/** What connecting is done with. */
export interface ConnectOptions {
  /** How long it may take, TLS handshake included; as long again for the way to a proxy, and for its answer. */
  readonly timeoutMs: number
  /** Ends it with its reason. */
  readonly signal: AbortSignal
  /** Ends it too. */
  readonly ending?: Ending
}

/** Ends all that waits, and all that comes to wait later. An AbortController would do, but takes Node longer to make than this. */
export class Ending {
  readonly #waiting = new Set<(error: unknown) => void>()
  #end: { error: unknown } | undefined

  /** @param fail is called when the end comes; at once if it has come */
  add(fail: (error: unknown) => void): void {
    if (this.#end === undefined) this.#waiting.add(fail)
    else fail(this.#end.error)
  }

  delete(fail: (error: unknown) => void): void {
    this.#waiting.delete(fail)
  }

  end(error: unknown): void {
    this.#end ??= { error }
    for (const fail of this.#waiting) fail(error)
  }
}

/** Host and port of a URL, as Node wants them. */
export function placeOf(url: URL): { host: string; port: number } {
  const usual = url.protocol === 'https:' ? 443 : 80
  const { hostname } = url
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return { host, port: url.port === '' ? usual : Number(url.port) }
}

/** Waits for a socket's event. Whatever comes instead of it destroys the socket. */
export async function whenReady<T extends Socket>(
  socket: T,
  event: 'connect' | 'secureConnect',
  { timeoutMs, signal, ending }: ConnectOptions,
): Promise<T> {
  return await new Promise((resolve, reject) => {
    const late = () =>
      fail(new HttpError('HTTP_CONNECT_TIMEOUT', `there was no connection within ${timeoutMs} ms`))
    const closed = () => fail(new HttpError('HTTP_CLOSED', 'the connection was closed before it was made'))
    const abort = () => fail(signal.reason)
    const timer = setTimeout(late, timeoutMs)
    const release = () => {
      clearTimeout(timer)
      socket.off(event, ready).off('error', fail).off('close', closed)
      signal.removeEventListener('abort', abort)
      ending?.delete(fail)
    }
    const ready = () => {
      release()
      resolve(socket)
    }
    const fail = (error: unknown) => {
      release()
      socket.on('error', () => {}).destroy()
      reject(error)
    }
    socket.once(event, ready).once('error', fail).once('close', closed)
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    else ending?.add(fail)
  })
}
