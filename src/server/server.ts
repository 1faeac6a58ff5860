import { setMaxListeners } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createContext } from '../content/context.js'
import { MANIFEST_LIMIT_BYTES } from '../content/manifest.js'
import type { RepositoryCollection } from '../content/store.js'
import { messageOf, systemCodeOf } from '../errors.js'
import { type Authenticator, basicAuthenticator, everybody } from './authenticate.js'
import { discardRest } from './discard-rest.js'
import { RegistryError, sendError, toRegistryError } from './errors.js'
import type { Registry } from './exchange.js'
import type { Htpasswd } from './htpasswd.js'
import { route } from './router.js'
import { type TokenOptions, tokenAuthenticator } from './tokens/token-authenticator.js'
import { UploadSessions } from './upload-sessions.js'

const UPLOAD_EXPIRY_MS = 24 * 60 * 60 * 1000
const UPLOAD_MAXIMUM = 1000
const UPLOAD_PATIENCE_MS = 5000
const HEADER_TIMEOUT_MS = 30 * 1000
const IDLE_TIMEOUT_MS = 5 * 60 * 1000
/** Signed locations and scopes can be long (rule R203). */
const HEADER_LIMIT_BYTES = 32 * 1024

/** What a registry serves and how. */
export interface RegistryServerOptions {
  /** The caller disposes of it after the server was closed. */
  repositories: RepositoryCollection
  /** Refuses everything but GET and HEAD. Default: false. */
  readOnly?: boolean | undefined
  /** Who may come in, with Basic authentication if nothing else is said. Default: everybody. */
  htpasswd?: Htpasswd | undefined
  /** Asks for tokens instead, which it gives out to those users itself. Default: it doesn't. */
  tokens?: TokenOptions | undefined
  /** A certificate with its key, both in PEM. Default: plain HTTP. */
  tls?: { cert: string | Buffer; key: string | Buffer } | undefined
  /**
   * Where unfinished uploads lie; the next server on this folder goes on with them. Default: a folder for temporary files,
   * which goes with the server.
   */
  uploadDirectory?: string | undefined
  /** How long an upload may lie idle. Default: 24 hours. */
  uploadExpiryMs?: number | undefined
  /** How many uploads may be unfinished at once. Default: 1000. */
  uploadMaximum?: number | undefined
  /** How many bytes the unfinished uploads may have, all together. Default: as many as the disk takes. */
  uploadLimitBytes?: number | undefined
  /**
   * How long a request waits for another one that writes to the same upload, and how long that one may be silent
   * before it is cut off. Default: 5 seconds.
   */
  uploadPatienceMs?: number | undefined
  /** How long the head of a request may take. Default: 30 seconds. */
  headerTimeoutMs?: number | undefined
  /**
   * A connection on which nothing moves for so long is dropped; one that moves may take as long as it needs. Default: 5
   * minutes.
   */
  idleTimeoutMs?: number | undefined
  /** The most bytes of a manifest. Default: 4 MiB. */
  manifestLimitBytes?: number | undefined
  /** Whether an image may name a config or layers that are not in the repository. Default: false. */
  allowMissingBlobs?: boolean | undefined
  /** Takes one line for each request, and one for each fault. Default: nothing is logged. */
  log?: ((line: string) => void) | undefined
}

/** A registry that can be listened on. Disposing closes it. */
export interface RegistryServer extends AsyncDisposable {
  /**
   * Starts to listen. Port 0 takes a free one.
   *
   * @returns where it listens
   * @throws the system's error (`EADDRINUSE`, `EACCES`) when it can't
   */
  listen(host: string, port: number): Promise<{ host: string; port: number }>
  /**
   * Takes no more requests, and ends all connections. Unfinished uploads stay where `uploadDirectory` was given, and go
   * elsewhere.
   *
   * @param options.graceMs how long the requests that are under way may go on. Default: 0
   */
  close(options?: { graceMs?: number }): Promise<void>
}

/**
 * Makes a registry (distribution-spec 1.1) over some repositories.
 *
 * @example
 * const server = createRegistryServer({ repositories: new MemoryCollection() })
 * const { port } = await server.listen('127.0.0.1', 0)
 */
export function createRegistryServer(options: RegistryServerOptions): RegistryServer {
  const closing = new AbortController()
  // Every request that is under way may listen.
  setMaxListeners(0, closing.signal)
  const log = options.log ?? (() => {})
  const registry: Registry = {
    repositories: options.repositories,
    uploads: new UploadSessions({
      directory: options.uploadDirectory,
      expiryMs: options.uploadExpiryMs ?? UPLOAD_EXPIRY_MS,
      maximum: options.uploadMaximum ?? UPLOAD_MAXIMUM,
      limitBytes: options.uploadLimitBytes ?? Number.POSITIVE_INFINITY,
    }),
    uploadPatienceMs: options.uploadPatienceMs ?? UPLOAD_PATIENCE_MS,
    readOnly: options.readOnly ?? false,
    manifestLimitBytes: options.manifestLimitBytes ?? MANIFEST_LIMIT_BYTES,
    allowMissingBlobs: options.allowMissingBlobs ?? false,
    context: createContext({
      signal: closing.signal,
      emit: event => {
        if (event.type === 'warning') log(`warning: ${event.message}`)
      },
    }),
  }
  const authenticator = makeAuthenticator(options)
  const running = new Set<Promise<void>>()
  const inOrder = new WeakMap<Socket, Promise<void>>()
  const server = makeServer(options, (request, response) => {
    // A request that was sent before the last one was answered may build on it (RFC 9112, section 9.3.2).
    const before = inOrder.get(request.socket) ?? Promise.resolve()
    const work = before.then(() => answerAndLog(registry, authenticator, request, response, log))
    inOrder.set(request.socket, work)
    running.add(work)
    void work.finally(() => running.delete(work))
  })

  const close = async ({ graceMs = 0 }: { graceMs?: number } = {}) => {
    const isClosed = server.listening ? new Promise(resolve => server.close(resolve)) : undefined
    server.closeIdleConnections()
    if (graceMs > 0)
      await Promise.race([Promise.allSettled(running), sleep(graceMs, undefined, { ref: false })])
    closing.abort()
    server.closeAllConnections()
    await isClosed
    // Nothing writes to a store any more once this has returned.
    await Promise.allSettled(running)
    await registry.uploads[Symbol.asyncDispose]()
  }
  return {
    listen: async (host, port) => {
      await registry.uploads.restore()
      return await listen(server, host, port)
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

function makeAuthenticator({ htpasswd, tokens }: RegistryServerOptions): Authenticator {
  if (tokens !== undefined) return tokenAuthenticator(htpasswd, tokens)
  return htpasswd === undefined ? everybody : basicAuthenticator(htpasswd)
}

function makeServer(
  { tls, headerTimeoutMs = HEADER_TIMEOUT_MS, idleTimeoutMs = IDLE_TIMEOUT_MS }: RegistryServerOptions,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  // requestTimeout counts the whole request, which is a layer of any size here.
  const limits = {
    requestTimeout: 0,
    headersTimeout: headerTimeoutMs,
    connectionsCheckingInterval: Math.min(headerTimeoutMs, 5000),
    maxHeaderSize: HEADER_LIMIT_BYTES,
  }
  const server =
    tls === undefined ? createServer(limits, listener) : createTlsServer({ ...limits, ...tls }, listener)
  server.setTimeout(idleTimeoutMs)
  return server
}

async function answerAndLog(
  registry: Registry,
  authenticator: Authenticator,
  request: IncomingMessage,
  response: ServerResponse,
  log: (line: string) => void,
): Promise<void> {
  const start = Date.now()
  await answer(registry, authenticator, request, response, log)
  discardRest(request)
  // The path alone: a query may hold what should not be written down (rule R219).
  const path = (request.url ?? '').split('?')[0]?.replace(/[^\x20-\x7e]/g, '?')
  log(`${request.method} ${path} ${response.statusCode} ${Date.now() - start}ms`)
}

async function answer(
  registry: Registry,
  authenticator: Authenticator,
  request: IncomingMessage,
  response: ServerResponse,
  log: (line: string) => void,
): Promise<void> {
  const method = request.method ?? 'GET'
  try {
    response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0')
    const isAnswered = await authenticator.answer?.(request, response)
    if (isAnswered !== true) await route({ registry, request, response, method }, authenticator)
  } catch (error) {
    const answered = toRegistryError(error)
    if (answered.status >= 500 && !isClientGone(error)) log(`${method} failed: ${messageOf(error)}`)
    // Too late for a status: cut the connection, so that the client sees that the body is not whole.
    if (response.headersSent) response.destroy()
    else sendError(response, answered, method !== 'HEAD')
  }
}

/** Whether an error only says that the client ended the connection. */
function isClientGone(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_UNABLE_TO_PIPE'].includes(
    systemCodeOf(error) ?? '',
  )
}

function listen(server: Server, host: string, port: number): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const address = server.address()
      if (address === null || typeof address === 'string') {
        reject(new RegistryError('UNKNOWN', `no address to listen at on ${host}`))
      } else resolve({ host: address.address, port: address.port })
    })
  })
}
