import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { DelayLine } from './delay-line.js'
import { reset } from './reset.js'

/** Where a fault happens: after so many bytes in a direction. */
export interface ByteFault {
  /** After so many bytes from clients. */
  up?: number
  /** After so many bytes to clients. */
  down?: number
  /** How often it happens at most; afterwards all goes well. */
  times: number
  /**
   * What is counted: the bytes of one connection, or all bytes since the last time, so that every n-th byte hits the
   * connection that it is on. `connection` when not given.
   */
  counted?: 'connection' | 'total'
}

/** What is wrong with a {@link FaultyProxy}. Nothing is when nothing is given. */
export interface FaultyProxyOptions {
  /** Ends connections on both sides: by a reset, as when a link breaks, or by an orderly close. */
  cuts?: ByteFault & { how?: 'reset' | 'close' }
  /** Forwards nothing more in either direction, and keeps the connection open. */
  freezes?: ByteFault
  /** How long a byte and its answer travel together. */
  roundTripMs?: number
  /** Of each connection in each direction. */
  bytesPerSecond?: number
}

/** A TCP proxy for tests in front of a server, with which things go wrong. Disposing ends every connection. */
export interface FaultyProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** What came from clients so far, in bytes, whether or not it was forwarded. */
  bytesUp(): number
  /** What was sent to clients so far, in bytes. */
  bytesDown(): number
  /** How many connections were made. */
  connections(): number
  /** How often it cut or froze a connection. */
  faults(): number
}

type Direction = 'up' | 'down'

/**
 * Starts a proxy. What is on its way is bounded, whatever its size: a slow reader slows its writer down.
 *
 * @param target `host:port`
 */
export async function startFaultyProxy(
  target: string,
  options: FaultyProxyOptions = {},
): Promise<FaultyProxy> {
  const bytes = { up: 0, down: 0 }
  const cuts = options.cuts && new FaultCounter(options.cuts)
  const freezes = options.freezes && new FaultCounter(options.freezes)
  const sockets = new Set<Socket>()
  let connections = 0

  const keep = (socket: Socket) => {
    socket.setNoDelay(true)
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  }
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, client => {
    connections++
    const [hostname = '', port = ''] = splitHost(target)
    const upstream = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    keep(client)
    keep(upstream)
    const connection: Connection = { client, upstream, isStopped: false, bytes: { up: 0, down: 0 } }
    // An orderly end passes through as half a close; anything else ends both sides.
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    void forward(connection, 'up')
    void forward(connection, 'down')
  })

  const forward = async (connection: Connection, direction: Direction) => {
    const { client, upstream } = connection
    const [from, to] = direction === 'up' ? [client, upstream] : [upstream, client]
    const delayMs = (options.roundTripMs ?? 0) / 2
    const line = new DelayLine(to, { delayMs, bytesPerSecond: options.bytesPerSecond })
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        if (connection.isStopped) return
        if (direction === 'up') bytes.up += chunk.length
        const cutAt = cuts?.hits(connection.bytes[direction], chunk.length, direction)
        const freezeAt = freezes?.hits(connection.bytes[direction], chunk.length, direction)
        const stopAt = cutAt ?? freezeAt
        const part = stopAt === undefined ? chunk : chunk.subarray(0, stopAt)
        connection.bytes[direction] += part.length
        if (direction === 'down') bytes.down += part.length
        await line.write(part)
        if (stopAt === undefined) continue
        await line.flush()
        connection.isStopped = true
        if (cutAt !== undefined) await cut(connection, options.cuts?.how ?? 'reset')
        return
      }
      await line.flush()
      to.end()
    } catch {
      // Either side went away.
      from.destroy()
      to.destroy()
    }
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytesUp: () => bytes.up,
    bytesDown: () => bytes.down,
    connections: () => connections,
    faults: () => (cuts?.happened ?? 0) + (freezes?.happened ?? 0),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** One client's connection with what it is led to. */
interface Connection {
  client: Socket
  upstream: Socket
  isStopped: boolean
  /** What was forwarded. */
  bytes: Record<Direction, number>
}

async function cut({ client, upstream }: Connection, how: 'reset' | 'close'): Promise<void> {
  if (how === 'close') {
    // destroySoon sends what is written, and then the end.
    client.destroySoon()
    upstream.destroySoon()
    return
  }
  await Promise.all([reset(client), reset(upstream)])
}

/** Tells which chunk a fault hits. */
class FaultCounter {
  readonly #fault: ByteFault
  /** Since the last time. */
  readonly #since = { up: 0, down: 0 }
  happened = 0

  constructor(fault: ByteFault) {
    this.#fault = fault
  }

  /**
   * How many bytes of a chunk still pass; undefined when all do.
   *
   * @param before what its connection had before it in that direction
   */
  hits(before: number, length: number, direction: Direction): number | undefined {
    const limit = this.#fault[direction]
    if (limit === undefined || this.happened >= this.#fault.times) return undefined
    const start = this.#fault.counted === 'total' ? this.#since[direction] : before
    this.#since[direction] += length
    if (start + length < limit) return undefined
    this.happened++
    this.#since.up = 0
    this.#since.down = 0
    return Math.max(limit - start, 0)
  }
}

function splitHost(host: string): [string, string] {
  const colon = host.lastIndexOf(':')
  return [host.slice(0, colon).replace(/^\[|\]$/g, ''), host.slice(colon + 1)]
}
