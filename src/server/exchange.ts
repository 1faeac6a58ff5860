import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Context, RepositoryCollection, Store } from '../content/store.js'
import type { Grant } from './authenticate.js'
import { RegistryError } from './errors.js'
import type { UploadSessions } from './upload-sessions.js'

/** What every handler works with: the registry's parts and its settings. */
export interface Registry {
  repositories: RepositoryCollection
  uploads: UploadSessions
  /** How long a request waits for another one that writes to the same upload. */
  uploadPatienceMs: number
  readOnly: boolean
  /** The most bytes of a manifest that are taken (rule R28). */
  manifestLimitBytes: number
  /** Whether a manifest may name blobs that are not there. */
  allowMissingBlobs: boolean
  /** For calls into stores. Aborted when the server closes. */
  context: Context
}

/** One request, taken apart, with the response to fill. */
export interface Exchange {
  registry: Registry
  request: IncomingMessage
  response: ServerResponse
  /** GET, HEAD, PUT, … */
  method: string
  query: URLSearchParams
  /** The repository's name, checked for syntax. Empty where the path has none. */
  name: string
  /** The last part of the path: a tag, a digest or the name of an upload. Empty where there is none. */
  target: string
  /** What else the one who sent it may do, besides the request itself. */
  grant: Grant
}

/**
 * The repository of a request.
 *
 * @throws RegistryError NAME_UNKNOWN when nothing was ever pushed to it
 */
export async function findRepository({ registry, name }: Exchange): Promise<Store> {
  const store = await registry.repositories.find(name)
  if (store === undefined) throw new RegistryError('NAME_UNKNOWN', `there is no repository ${name}`)
  return store
}

/** Answers with headers and a short body; a HEAD is answered with the headers alone. */
export function send(
  { method, response }: Exchange,
  status: number,
  headers: Record<string, string | number | string[]>,
  body?: Uint8Array,
): void {
  const length = status === 204 || status === 304 ? {} : { 'Content-Length': body?.length ?? 0 }
  response.writeHead(status, { ...length, ...headers })
  response.end(method === 'HEAD' ? undefined : body)
}

/** Answers with JSON. */
export function sendJson(exchange: Exchange, value: unknown, headers: Record<string, string> = {}): void {
  const body = Buffer.from(JSON.stringify(value))
  send(exchange, 200, { 'Content-Type': 'application/json', ...headers }, body)
}

/** Answers with a stream, which is destroyed when the client goes away. */
export async function sendStream(
  { response }: Exchange,
  status: number,
  headers: Record<string, string | number>,
  body: Readable | AsyncIterable<Buffer>,
): Promise<void> {
  response.writeHead(status, headers)
  await pipeline(body, response)
}

/**
 * The chunks of a request's body. Leaving the loop early does not cut the connection, so that an answer can still be
 * sent (rule R244).
 */
export function bodyOf(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false })
}
