import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { type ConnectOptions, placeOf, whenReady } from './connecting.js'
import { openTunnel } from './tunnel.js'

/** How a server is reached. Equal keys mean that connections can be shared. */
export interface Destination {
  /** What connections can be used for: all that is below, and the origin. */
  readonly key: string
  /** Of its URL, scheme, host and port count. */
  readonly url: URL
  /** Whether the certificate must be valid. */
  readonly verify: boolean
  /** Node's own trust when undefined. */
  readonly secureContext: SecureContext | undefined
  /** The system's when undefined. */
  readonly lookup: LookupFunction | undefined
  /** Asked for a tunnel, which it makes to the host itself (RFC 9110, section 9.3.6); undefined for none. */
  readonly proxy: URL | undefined
}

/** Takes what a socket reads. */
export interface SocketReader {
  /** Where the next bytes should go. What is there is overwritten. */
  landing(): Buffer
  /** Takes bytes, mostly in what `landing` gave last. They are theirs only during the call. @returns whether to go on reading */
  take(bytes: Buffer): boolean
}

/** TLS sessions that can be resumed, by the key of their destination. */
export type TlsSessions = Map<string, Buffer>

/** Idle connections are probed by the system after this time. */
const KEEP_ALIVE_MS = 60_000

/**
 * Connects to a server, by TLS where its URL says so.
 *
 * @returns a socket of which `reader` gets the bytes as soon as they come
 * @throws HttpError `HTTP_CONNECT_TIMEOUT`, `HTTP_PROXY_TIMEOUT`, `HTTP_PROXY_REFUSED`; the error of the socket or of TLS;
 * the reason of a signal
 */
export async function openSocket(
  destination: Destination,
  reader: SocketReader,
  options: ConnectOptions,
  sessions: TlsSessions,
): Promise<Socket> {
  const { url, proxy, lookup } = destination
  const tunnel = proxy === undefined ? undefined : await openTunnel(url, proxy, options)
  const place = { ...placeOf(url), ...(lookup !== undefined && { lookup }) }
  if (url.protocol === 'https:')
    return await openSecure(destination, place, tunnel, reader, options, sessions)
  if (tunnel !== undefined) return readBy(reader, tunnel)
  const socket = connect({ ...place, onread: onreadOf(reader) })
  return await whenReady(prepared(socket), 'connect', options)
}

async function openSecure(
  { key, verify, secureContext }: Destination,
  place: { host: string; port: number; lookup?: LookupFunction },
  tunnel: Socket | undefined,
  reader: SocketReader,
  options: ConnectOptions,
  sessions: TlsSessions,
): Promise<Socket> {
  // Many commands never speak TLS, which takes a while to load.
  const tls = await import('node:tls')
  const session = sessions.get(key)
  const socket = tls.connect({
    ...place,
    // An address is no server name (rule R165).
    ...(isIP(place.host) === 0 && { servername: place.host }),
    ALPNProtocols: ['http/1.1'],
    // Said in any case: NODE_TLS_REJECT_UNAUTHORIZED must not decide it (rule R164).
    rejectUnauthorized: verify,
    ...(secureContext !== undefined && { secureContext }),
    ...(session !== undefined && { session }),
    // Over another socket, Node does not heed it.
    ...(tunnel === undefined ? { onread: onreadOf(reader) } : { socket: tunnel }),
  })
  socket.on('session', fresh => sessions.set(key, fresh))
  try {
    await whenReady(prepared(socket), 'secureConnect', options)
  } catch (error) {
    tunnel?.destroy()
    throw error
  }
  return tunnel === undefined ? socket : readBy(reader, socket)
}

function prepared<T extends Socket>(socket: T): T {
  return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
}

/** Has Node read into memory of ours: by itself it takes fresh memory for every 64 KiB, cleared first. */
function onreadOf(reader: SocketReader) {
  return {
    buffer: () => reader.landing(),
    callback: (length: number, bytes: Uint8Array) =>
      reader.take(Buffer.from(bytes.buffer, bytes.byteOffset, length)),
  }
}

function readBy(reader: SocketReader, socket: Socket): Socket {
  socket.on('data', bytes => {
    if (!reader.take(bytes)) socket.pause()
  })
  return socket.resume()
}
