import type { Socket } from 'node:net'
import { type ConnectOptions, placeOf, whenReady } from './connecting.js'
import { formatRequestHead, HeadReader, type ResponseHead } from './head.js'
import { HttpError } from './http-error.js'

/**
 * Has a proxy connect to the host of a URL (RFC 9110, section 9.3.6). The proxy's own certificate must be valid.
 *
 * @returns a socket that is paused, and leads to the host
 * @throws HttpError `HTTP_CONNECT_TIMEOUT`, `HTTP_PROXY_TIMEOUT`, `HTTP_PROXY_REFUSED`, `HTTP_MALFORMED`; the error of the socket
 */
export async function openTunnel(url: URL, proxy: URL, options: ConnectOptions): Promise<Socket> {
  const socket = await connectTo(proxy, options)
  const target = `${url.hostname}:${placeOf(url).port}`
  socket.write(
    formatRequestHead({ method: 'CONNECT', target, headers: { host: target, ...loginFor(proxy) } }),
  )
  const { status } = await headFrom(socket, options)
  if (status >= 200 && status < 300) return socket
  socket.destroy()
  throw new HttpError('HTTP_PROXY_REFUSED', `the proxy answered ${status}`, { status })
}

async function connectTo(proxy: URL, options: ConnectOptions): Promise<Socket> {
  const place = placeOf(proxy)
  if (proxy.protocol === 'https:') {
    const { connect } = await import('node:tls')
    return await whenReady(connect({ ...place, rejectUnauthorized: true }), 'secureConnect', options)
  }
  const { connect } = await import('node:net')
  return await whenReady(connect(place), 'connect', options)
}

function loginFor({ username, password }: URL): Record<string, string> {
  if (username === '') return {}
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(login).toString('base64')}` }
}

async function headFrom(
  socket: Socket,
  { timeoutMs, signal, ending }: ConnectOptions,
): Promise<ResponseHead> {
  const reader = new HeadReader()
  return await new Promise((resolve, reject) => {
    const settle = (tell: () => void) => {
      clearTimeout(timer)
      socket.off('data', take).off('error', fail).off('close', closed).pause()
      signal.removeEventListener('abort', abort)
      ending?.delete(fail)
      tell()
    }
    const fail = (error: unknown) => {
      settle(() => reject(error))
      socket.on('error', () => {}).destroy()
    }
    const closed = () => fail(new HttpError('HTTP_CLOSED', 'the proxy closed the connection'))
    const late = () =>
      fail(new HttpError('HTTP_PROXY_TIMEOUT', `the proxy did not answer within ${timeoutMs} ms`))
    const abort = () => fail(signal.reason)
    const take = (bytes: Buffer) => {
      try {
        const found = reader.add(bytes)
        if (found === undefined) return
        // The other side waits for us, now that there is a tunnel.
        const isAlone = found.used === bytes.length || found.head.status >= 300
        if (!isAlone) throw new HttpError('HTTP_MALFORMED', 'the proxy says more than it was asked')
        settle(() => resolve(found.head))
      } catch (error) {
        fail(error)
      }
    }
    const timer = setTimeout(late, timeoutMs)
    socket.on('data', take).once('error', fail).once('close', closed)
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    else ending?.add(fail)
  })
}
