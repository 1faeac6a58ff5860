import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** A server of bare connections for tests: on a loopback port, it does with each what a test says. */
export interface RawServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Every connection that was made, in order. */
  readonly sockets: readonly Socket[]
}

/**
 * Starts a server. Nothing is read from a connection unless the test does.
 *
 * @param serve is called with each connection and its number from 0
 */
export async function startRaw(serve: (socket: Socket, count: number) => void): Promise<RawServer> {
  const sockets: Socket[] = []
  const server = createServer({ pauseOnConnect: true }, socket => {
    socket.on('error', () => {})
    sockets.push(socket)
    serve(socket, sockets.length - 1)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Reads from a connection up to the end of a request's head, which it returns. What follows is not read. */
export async function readHead(socket: Socket): Promise<string> {
  let text = ''
  while (!text.includes('\r\n\r\n')) {
    const bytes: Buffer | null = socket.read()
    if (bytes === null) await once(socket, 'readable')
    else text += bytes.toString('latin1')
  }
  return text
}
