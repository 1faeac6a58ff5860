import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { IssuedCertificate } from './certificates.js'

/** How a {@link TlsServer} is. */
export interface TlsServerOptions {
  certificate: IssuedCertificate
  /** Where it listens; `127.0.0.1` when not given. */
  address?: string
  /** Clients must show a certificate of this authority. */
  clientCaFile?: string
  /** Its answer to a request; 200 without a body when not given. */
  answer?: (request: IncomingMessage) => { status: number; headers?: Record<string, string>; body?: string }
}

/** An HTTPS server on a free port. */
export interface TlsServer extends AsyncDisposable {
  readonly port: number
  /** `address:port` */
  readonly host: string
  /** Of each request: method and path, headers, and the subject of the client certificate that was shown. */
  readonly seen: { line: string; headers: IncomingMessage['headers']; client: string | undefined }[]
}

/** Starts an HTTPS server. */
export async function startTls(options: TlsServerOptions): Promise<TlsServer> {
  const { certificate, address = '127.0.0.1', clientCaFile } = options
  const seen: TlsServer['seen'] = []
  const server = createServer(
    {
      cert: await readFile(certificate.certFile),
      key: await readFile(certificate.keyFile),
      requestCert: true,
      rejectUnauthorized: clientCaFile !== undefined,
      ...(clientCaFile !== undefined && { ca: await readFile(clientCaFile) }),
    },
    (request, response) => {
      const subject = (request.socket as TLSSocket).getPeerCertificate().subject
      const line = `${request.method} ${request.url}`
      seen.push({
        line,
        headers: request.headers,
        client: subject === undefined ? undefined : `${subject.CN}`,
      })
      const { status, headers = {}, body = '' } = options.answer?.(request) ?? { status: 200 }
      response.writeHead(status, headers).end(body)
    },
  )
  server.listen(0, address)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    host: `${address}:${port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
