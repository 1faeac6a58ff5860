import type { IncomingHttpHeaders } from 'node:http'
import type { Chunks } from '../content/chunks.js'
import type { Context } from '../content/store.js'
import type { ResponseBody } from './response-body.js'
import type { Scope } from './scope.js'

/** How a registry's host is reached. Decided once for the life of a client (rules R149, R151). */
export interface Endpoint {
  /** As in a reference: `docker.io`, `localhost:5000`. Credentials are looked up by it. */
  readonly registry: string
  /** Scheme, host and port, with an empty path. Credentials go to this origin only (rule R209). */
  readonly base: URL
  /** Its certificate is not verified, and clear text is allowed (rule R149). */
  readonly insecure: boolean
}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A request body that can be had again, for a redirect, a retry or a replay after a 401 (rule R109). */
export interface RequestBody {
  /** In bytes; becomes Content-Length. */
  readonly length: number
  open(): Promise<Chunks | Uint8Array>
}

/** One request, as it passes from sender to sender. */
export interface RegistryRequest {
  /** For messages, as a noun: `push of blob sha256:… to localhost:5000/app`. */
  readonly operation: string
  readonly method: Method
  readonly url: URL
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Undefined when there is none; POST and PUT then say `Content-Length: 0`. */
  readonly body?: RequestBody
  readonly endpoint: Endpoint
  /** What a token for this request must allow. The repository that is written to comes first (rule R105). */
  readonly scopes: readonly Scope[]
  readonly context: Context
  /** The most times it is sent, the first included. The client's default when undefined. */
  readonly attempts?: number
  /**
   * There is another place to ask, as after a mirror: only a kept connection that was closed is tried again (rules R250,
   * R251).
   */
  readonly movesOn?: boolean
  /** When defined, a successful body of at most this many bytes is read into `bytes`, and a longer one refused. */
  readonly collectLimitBytes?: number
  /** It goes to a place that an image names: without credentials, and over https alone (rule R212). */
  readonly isForeign?: boolean
  /**
   * How many bytes the server may have to move before it answers: those of the blob that this request completes. It is
   * waited for longer (rule R248). The length of the body when undefined.
   */
  readonly movedBytes?: number
  /** The connection is closed after it, and no other request goes over it. */
  readonly closes?: boolean
  /** The body holds a secret: it is never sent to another origin (rule R218). */
  readonly secretBody?: boolean
}

/** What came back, after redirects and retries. */
export interface RegistryResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** What answered, after redirects. */
  readonly url: URL
  /** Must be consumed or destroyed, which ends the connection unless everything has come; ended already when `bytes` holds the content. */
  readonly body: ResponseBody
  /** The content when it was asked for by `collectLimitBytes`, or the start of it when the status is an error. */
  readonly bytes: Buffer
  /** How many times the request was sent. */
  readonly attempts: number
  /** Where the credentials that went along were found; undefined when there were none. */
  readonly credentialFrom?: string | undefined
  /** What may be the matter when a login was refused; undefined when nothing more is known than the status. */
  readonly hint?: string
}

/** Sends a request. Each layer is a function from one of these to another. */
export type Send = (request: RegistryRequest) => Promise<RegistryResponse>

/** The source of a request's body failed: neither the registry's fault nor worth another attempt here. */
export class BodySourceError extends Error {
  constructor(cause: unknown) {
    super('the source of the request body failed', { cause })
  }
}

/** The values of a header that may occur several times. */
export function headerValues(response: RegistryResponse, name: string): readonly string[] {
  const value = response.headers[name]
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}

/** The first value of a header. */
export function headerOf(response: RegistryResponse, name: string): string | undefined {
  return headerValues(response, name)[0]
}

/** The Content-Length of a response; undefined when absent or malformed. */
export function contentLengthOf(response: RegistryResponse): number | undefined {
  const text = headerOf(response, 'content-length')
  if (text === undefined || !/^\d+$/.test(text)) return undefined
  const length = Number(text)
  return Number.isSafeInteger(length) ? length : undefined
}

/** The most that is read of a body which is of no interest, so that its connection can be used again. */
const DRAINED_BYTES = 64 * 1024

/** Ends a response whose body is of no interest. A short one is read so that its connection can be used again. */
export function discard(response: RegistryResponse): void {
  if ((contentLengthOf(response) ?? 0) <= DRAINED_BYTES) drain(response.body)
  else response.body.destroy()
}

/** Reads a body to its end in the background, when it is short. */
export function drain(body: ResponseBody): void {
  const read = async () => {
    let size = 0
    for await (const chunk of body) {
      size += chunk.length
      if (size > DRAINED_BYTES) break
    }
  }
  read().catch(() => {})
}

/** Whether a status says that it was done (rules R22, R38). */
export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300
}
