import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { reset } from './reset.js'

/** As nginx words it. */
const TOO_LARGE =
  '<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n' +
  '<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n'

/** How a body that is too large is turned away. */
export interface BodyLimitOptions {
  /**
   * After the answer: `lingering` reads on for a while so that the client sees the answer, as nginx does; `reset`
   * closes at once, by which a client that still sends may lose the answer. `lingering` when not given.
   */
  close?: 'lingering' | 'reset'
}

/** A reverse proxy that limits bodies. Disposing ends every connection. */
export interface BodyLimitProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** How many requests it turned away. */
  refused(): number
  /** Body bytes that came from clients so far. */
  bytesUp(): number
}

/** For so long it listens to a body that it doesn't want; nginx's `lingering_timeout` and `lingering_time`. */
const LINGERING_MS = 5_000

/**
 * Starts a reverse proxy that answers 413 with a page of HTML to a body of more than `limitBytes`: at once by its
 * Content-Length, without one as soon as too much has come.
 *
 * @param target `host:port`
 */
export async function startBodyLimitProxy(
  target: string,
  limitBytes: number,
  options: BodyLimitOptions = {},
): Promise<BodyLimitProxy> {
  let [refused, bytesUp] = [0, 0]
  const refuse = (request: IncomingMessage, response: ServerResponse) => {
    if (response.headersSent) {
      request.socket.destroy()
      return
    }
    refused++
    const { socket } = request
    response.writeHead(413, { 'content-type': 'text/html', connection: 'close' }).end(TOO_LARGE, () => {
      if (options.close === 'reset') void reset(socket)
    })
    if (options.close === 'reset') return
    request.resume()
    setTimeout(() => socket.destroy(), LINGERING_MS).unref()
  }
  const server = createServer((request, response) => {
    response.on('error', () => {})
    request.on('data', (chunk: Buffer) => {
      bytesUp += chunk.length
    })
    request.pause()
    if (Number(request.headers['content-length'] ?? 0) > limitBytes) {
      refuse(request, response)
      return
    }
    const [hostname, port] = target.split(':')
    const { method, url, rawHeaders: headers } = request
    const upstream = httpRequest({ hostname, port, method, path: url, headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.on('error', () => response.destroy())
      answer.pipe(response)
    })
    upstream.on('error', () => request.socket.destroy())
    response.on('close', () => upstream.destroy())
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= limitBytes || upstream.destroyed) return
      request.unpipe(upstream)
      upstream.destroy()
      refuse(request, response)
    })
    request.pipe(upstream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    refused: () => refused,
    bytesUp: () => bytesUp,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
