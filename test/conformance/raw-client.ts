import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Digest, DigestAlgorithm } from '../../src/content/digest.js'
import { digestOf } from '../../src/content/digest.js'
import type { RawManifest } from '../../src/content/store.js'

/** An answer, read to its end. */
export interface RawResponse {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

export interface RawRequest {
  headers?: Record<string, string>
  body?: Buffer
  /** Sends the body in chunks of unknown total length. */
  chunked?: boolean
}

/**
 * Sends requests exactly as written: the path is not normalised, nothing is retried, no header is added but
 * those of HTTP itself. So a test sees what the server does with what a foreign client may send.
 */
export class RawClient {
  readonly #headers: Readonly<Record<string, string>>

  /**
   * @param origin `http://127.0.0.1:5000`
   * @param headers sent with each request
   */
  constructor(
    readonly origin: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.#headers = headers
  }

  /** A client for the same registry that sends more headers. */
  as(headers: Readonly<Record<string, string>>): RawClient {
    return new RawClient(this.origin, { ...this.#headers, ...headers })
  }

  send(method: string, path: string, options: RawRequest = {}): Promise<RawResponse> {
    const { hostname, port, protocol } = new URL(this.origin)
    const send = protocol === 'https:' ? httpsRequest : httpRequest
    const body = options.body ?? Buffer.alloc(0)
    const length: Record<string, string> = options.chunked ? {} : { 'Content-Length': `${body.length}` }
    const hasBody = options.body !== undefined || method === 'POST' || method === 'PUT' || method === 'PATCH'
    const headers = { ...(hasBody && length), ...this.#headers, ...options.headers }
    return new Promise((resolve, reject) => {
      const request = send({ hostname, port, method, path, headers, agent: false, rejectUnauthorized: false })
      request.once('error', reject)
      request.once('response', response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', reject)
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        )
      })
      if (hasBody) request.write(body)
      request.end()
    })
  }

  /** Starts an upload, and gives its location. */
  async startUpload(repository: string, query = ''): Promise<string> {
    const { status, headers } = await this.send('POST', `/v2/${repository}/blobs/uploads/${query}`)
    if (status !== 202 || headers.location === undefined) throw new Error(`no upload started: ${status}`)
    return headers.location
  }

  /** Puts a blob by POST and PUT. */
  async putBlob(repository: string, bytes: Buffer, algorithm: DigestAlgorithm = 'sha256'): Promise<Digest> {
    const digest = digestOf(bytes, algorithm)
    const location = await this.startUpload(repository)
    const { status, body } = await this.send('PUT', withDigest(location, digest), { body: bytes })
    if (status !== 201) throw new Error(`blob not taken: ${status} ${body}`)
    return digest
  }

  putManifest(repository: string, target: string, manifest: RawManifest): Promise<RawResponse> {
    const headers = { 'Content-Type': manifest.descriptor.mediaType }
    return this.send('PUT', `/v2/${repository}/manifests/${target}`, {
      headers,
      body: Buffer.from(manifest.bytes),
    })
  }
}

/** A location with the digest added, as a client does it (rule R43). */
export function withDigest(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`
}

/** The code of the first error in an answer's body. */
export function errorCodeOf({ body }: RawResponse): string {
  return JSON.parse(body.toString()).errors[0].code
}
