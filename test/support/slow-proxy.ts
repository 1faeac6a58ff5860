import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Transform } from 'node:stream'

/** A narrow line to a server on this machine. Disposing ends it with all its connections. */
export interface SlowProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** For each connection in each direction; `Infinity` for as fast as it goes. May be changed at any time. */
  bytesPerSecond: number
}

/** Puts a narrow line before a server. @param target `HOST:PORT` */
export async function startSlowProxy(target: string, bytesPerSecond: number): Promise<SlowProxy> {
  const [hostname = '', port = ''] = target.split(':')
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.once('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
      socket.on('error', () => {})
    }
    client.pipe(narrow(proxy)).pipe(upstream)
    upstream.pipe(narrow(proxy)).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: SlowProxy = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytesPerSecond,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return proxy
}

/** Holds each chunk back for as long as the line would take to carry it. */
function narrow(line: { bytesPerSecond: number }): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const delayMs = (1000 * chunk.length) / line.bytesPerSecond
      if (delayMs < 1) done(null, chunk)
      else setTimeout(done, delayMs, null, chunk)
    },
  })
}
