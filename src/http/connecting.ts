import type { Socket } from 'node:net'
import { HttpError } from './http-error.js'

/** What connecting is done with. */
export interface ConnectOptions {
  /** How long it may take, TLS handshake included; as long again for the way to a proxy, and for its answer. */
  readonly timeoutMs: number
  /** Any of them ends it with its reason. */
  readonly signals: readonly AbortSignal[]
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
  { timeoutMs, signals }: ConnectOptions,
): Promise<T> {
  return await new Promise((resolve, reject) => {
    const late = () =>
      fail(new HttpError('HTTP_CONNECT_TIMEOUT', `there was no connection within ${timeoutMs} ms`))
    const closed = () => fail(new HttpError('HTTP_CLOSED', 'the connection was closed before it was made'))
    const abort = () => fail(signals.find(({ aborted }) => aborted)?.reason)
    const timer = setTimeout(late, timeoutMs)
    const release = () => {
      clearTimeout(timer)
      socket.off(event, ready).off('error', fail).off('close', closed)
      for (const signal of signals) signal.removeEventListener('abort', abort)
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
    for (const signal of signals) signal.addEventListener('abort', abort)
    if (signals.some(({ aborted }) => aborted)) abort()
  })
}
