import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'

/** A proxy for tests that leads names which exist nowhere to servers of the test. */
export interface ConnectProxy extends AsyncDisposable {
  readonly url: URL
  /** `HOST:PORT` of each connection that was asked for. */
  readonly asked: string[]
}

/**
 * Starts a proxy that knows CONNECT alone.
 *
 * @param targets which `127.0.0.1:PORT` a `HOST:PORT` stands for; others are refused
 */
export async function startConnectProxy(targets: Readonly<Record<string, string>>): Promise<ConnectProxy> {
  const asked: string[] = []
  const proxy = createServer()
  proxy.on('connect', (request, socket) => {
    socket.on('error', () => {})
    asked.push(request.url ?? '')
    const [host, port] = targets[request.url ?? '']?.split(':') ?? []
    if (port === undefined) {
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
      return
    }
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    upstream.on('error', () => socket.destroy())
    socket.on('close', () => upstream.destroy())
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return {
    url: new URL(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`),
    asked,
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections()
      proxy.close()
    },
  }
}
