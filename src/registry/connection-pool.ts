import type { LookupFunction } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Dispatcher } from 'undici'
import { hearLastWords } from './last-words.js'
import { readIntoSlabs } from './read-buffers.js'

/** How the connections of a pool are made. */
export interface PoolOptions {
  /** How long making one may take, TLS handshake included; and as long for the proxy to reach the host. */
  connectTimeoutMs: number
  /** Whether the certificate must be valid. */
  verify: boolean
  secureContext: SecureContext | undefined
  /** The system's when undefined. */
  lookup: LookupFunction | undefined
  proxy: URL | undefined
  /** Closes all of them when it is aborted, those as well that are not connected yet, which a pool leaves alone. */
  signal: AbortSignal
}

/** Signed URLs in Location and Link are long (rule R203). */
export const HEADER_LIMIT_BYTES = 32 * 1024

/** Loaded with the first request: it is a good part of what starting takes, and many commands need no registry. */
export const loadUndici = () => import('undici')

/** Opens the pools of connections, one for each host: as many as there are requests under way. */
export async function openPool(options: PoolOptions): Promise<Dispatcher> {
  const { Agent, buildConnector, Pool, ProxyAgent } = await loadUndici()
  const { connectTimeoutMs: timeout, signal, proxy, lookup, secureContext } = options
  const common = {
    maxHeaderSize: HEADER_LIMIT_BYTES,
    // There is a clock of our own for both.
    headersTimeout: 0,
    bodyTimeout: 0,
  }
  const tls = {
    // Said in any case: NODE_TLS_REJECT_UNAUTHORIZED must not decide it (rule R164).
    rejectUnauthorized: options.verify,
    ...(secureContext !== undefined && { secureContext }),
  }
  if (proxy === undefined) {
    const connect = buildConnector({
      ...tls,
      timeout,
      signal,
      onread: readIntoSlabs(),
      ...(lookup !== undefined && { lookup }),
    })
    return new Agent({
      ...common,
      connect: (target, callback) =>
        connect(target, (error, socket) => {
          if (error !== null) return callback(error, null)
          hearLastWords(socket)
          callback(null, socket)
        }),
    })
  }
  return new ProxyAgent({
    ...common,
    uri: proxy.href,
    requestTls: { ...tls, timeout },
    proxyTls: { timeout, signal, rejectUnauthorized: true },
    // What the proxy is asked for is a connection, so that is how long it may take.
    clientFactory: (origin, factory) => new Pool(origin, { ...factory, headersTimeout: timeout }),
  })
}
