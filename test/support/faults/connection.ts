import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { reset } from '../reset.js'
import type { Exchange, Fault } from './fault.js'

/** Sends the beginning of an answer whose headers promise all of it. */
async function begin(exchange: Exchange, bytes: number): Promise<void> {
  const { status, headers, body } = await exchange.forward()
  exchange.response.writeHead(status, { ...headers, 'content-length': `${body.length}` })
  exchange.response.flushHeaders()
  await new Promise(resolve => exchange.response.write(body.subarray(0, bytes), resolve))
}

/** Breaks off an answer after so many bytes of its body, by a reset. */
export function resetAfter(bytes: number): Fault {
  return async exchange => {
    await begin(exchange, bytes)
    await reset(exchange.request.socket)
  }
}

/** What happens to the connection of a request. */
export const CONNECTION_FAULTS = {
  /** Takes the request and never answers. */
  silent: () => {},
  'reset-before-status': async ({ request }) => await reset(request.socket),
  'reset-in-body': resetAfter(50_000),
  'close-in-body': async exchange => {
    await begin(exchange, 50_000)
    exchange.request.socket.end()
  },
  /** Over and over, nothing but headers comes. */
  'reset-before-body': resetAfter(0),
  'silent-in-body': async exchange => await begin(exchange, 50_000),
  /** The answer does not say that the connection ends with it. */
  'close-at-keep-alive': async exchange => {
    const { socket } = exchange.request
    exchange.response.once('finish', () => socket.end())
    exchange.send(await exchange.forward())
  },
  dribble: async exchange => {
    const { status, headers, body } = await exchange.forward()
    exchange.response.writeHead(status, headers)
    const step = Math.max(1, Math.ceil(body.length / 8))
    for (let start = 0; start < body.length; start += step) {
      exchange.response.write(body.subarray(start, start + step))
      await sleep(5)
    }
    exchange.response.end()
  },
} satisfies Record<string, Fault>

/** A server that doesn't speak HTTP. */
export interface RawServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
}

/** What answers to a connection, whatever comes over it. */
export const RAW_SERVERS = {
  'accept-and-stay-silent': () => {},
  'reset-on-accept': socket => void reset(socket),
  /** `protocol_version`, fatal (RFC 8446, section 6.2). */
  'tls-alert': socket =>
    socket.once('data', () => socket.end(Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46]))),
  'plain-http-on-tls-port': socket =>
    socket.once('data', () => {
      socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    }),
} satisfies Record<string, (socket: Socket) => void>

/** Starts a server of {@link RAW_SERVERS}. */
export async function startRawServer(answer: (socket: Socket) => void): Promise<RawServer> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    answer(socket)
  })
  const host = await listen(server)
  return {
    host,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/**
 * `127.0.0.1:PORT` of a port that refuses connections. One that was free a moment ago may be another test's by now; the
 * lowest of all is given to nobody.
 */
export const REFUSING_HOST = '127.0.0.1:1'

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}
