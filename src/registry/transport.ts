import { setMaxListeners } from 'node:events'
import { Readable } from 'node:stream'
import { Agent, type Dispatcher, ProxyAgent, request as undiciRequest } from 'undici'
import type { ProxyDecision } from '../config/proxies.js'
import { guardedLookup, isLoopback } from './addresses.js'
import { BodySourceError, type Endpoint, type RegistryRequest, type Send } from './send.js'
import type { UrlPolicy } from './urls.js'

/** How connections are made. */
export interface TransportOptions {
  userAgent: string
  /** The most connections to one host. */
  maximumConnections: number
  /** The proxy for a URL; undefined for none. */
  proxyFor: ProxyDecision
  policy: UrlPolicy
}

const CONNECT_TIMEOUT_MS = 15_000
const HEADERS_TIMEOUT_MS = 300_000
/** A body on which nothing comes for this long is given up (rule R248). */
const BODY_TIMEOUT_MS = 60_000
/** Signed URLs in Location and Link are long (rule R203). */
const HEADER_LIMIT_BYTES = 32 * 1024

/**
 * The pools of connections: for registries with a certificate, for insecure ones, and for hosts that a registry sent
 * us to, whose names may not resolve to internal addresses.
 */
export class Transport implements AsyncDisposable {
  readonly #options: TransportOptions
  readonly #verified: Agent
  readonly #unverified: Agent
  readonly #guarded: Agent
  /** By address and by whether certificates are verified. Made when a proxy applies for the first time. */
  readonly #proxies = new Map<string, ProxyAgent>()

  constructor(options: TransportOptions) {
    this.#options = options
    const common = this.#poolOptions()
    const timeout = CONNECT_TIMEOUT_MS
    this.#verified = new Agent({ ...common, connect: { timeout } })
    this.#unverified = new Agent({ ...common, connect: { timeout, rejectUnauthorized: false } })
    this.#guarded = new Agent({ ...common, connect: { timeout, lookup: guardedLookup } })
  }

  /** Sends one request as it is. Errors are those of undici and of the socket, or BodySourceError. */
  readonly send: Send = async request => {
    const { url, endpoint, method, context } = request
    // Every request that is under way listens to it, so there is no telling how many there will be.
    setMaxListeners(0, context.signal)
    const source = await bodyOf(request)
    try {
      const response = await undiciRequest(url, {
        method,
        dispatcher: this.#dispatcherFor(url, endpoint),
        signal: context.signal,
        headers: { 'user-agent': this.#options.userAgent, ...request.headers, ...source.headers },
        body: source.body,
        // undici ends the connection after a HEAD unless told otherwise; most of our requests are just that.
        ...(method === 'HEAD' && { reset: false }),
      })
      return {
        status: response.statusCode,
        headers: response.headers,
        url,
        body: response.body,
        bytes: Buffer.alloc(0),
        attempts: 1,
      }
    } catch (error) {
      source.body?.destroy()
      if (source.failure.error !== undefined) throw new BodySourceError(source.failure.error)
      throw error
    }
  }

  /** Whether TLS is spoken at a host, whatever its certificate: any HTTP answer will do. Rejects with the socket's error. */
  async probe(url: URL, signal: AbortSignal): Promise<void> {
    const dispatcher = this.#proxyAgent(url, false) ?? this.#unverified
    const response = await undiciRequest(url, { dispatcher, signal, method: 'GET' })
    await response.body.dump()
  }

  #dispatcherFor(url: URL, endpoint: Endpoint): Dispatcher {
    const { policy } = this.#options
    const isOwn = url.hostname === endpoint.base.hostname
    const isInsecure = isOwn ? endpoint.insecure : policy.isInsecure(url.host)
    // A proxy resolves names itself: what they resolve to can't be checked here.
    const proxy = this.#proxyAgent(url, !isInsecure)
    if (proxy !== undefined) return proxy
    if (isInsecure) return this.#unverified
    const bothLoopback = isLoopback(url.hostname) && isLoopback(endpoint.base.hostname)
    return isOwn || policy.allowInternal || bothLoopback ? this.#verified : this.#guarded
  }

  #proxyAgent(url: URL, verify: boolean): ProxyAgent | undefined {
    const proxy = this.#options.proxyFor(url)
    if (proxy === undefined) return undefined
    const key = `${verify} ${proxy.href}`
    const known = this.#proxies.get(key)
    if (known !== undefined) return known
    const agent = new ProxyAgent({
      ...this.#poolOptions(),
      uri: proxy.href,
      requestTls: { timeout: CONNECT_TIMEOUT_MS, rejectUnauthorized: verify },
    })
    this.#proxies.set(key, agent)
    return agent
  }

  #poolOptions() {
    return {
      connections: this.#options.maximumConnections,
      maxHeaderSize: HEADER_LIMIT_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      bodyTimeout: BODY_TIMEOUT_MS,
    }
  }

  /** Closes every connection at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    const pools = [this.#verified, this.#unverified, this.#guarded, ...this.#proxies.values()]
    await Promise.all(pools.map(pool => pool.destroy()))
  }
}

interface OpenedBody {
  body: Readable | null
  headers: Record<string, string>
  /** Filled when the source fails: the error that undici reports then could as well be the socket's. */
  failure: { error?: unknown }
}

async function bodyOf(request: RegistryRequest): Promise<OpenedBody> {
  const failure: { error?: unknown } = {}
  if (request.body === undefined) return { body: null, headers: {}, failure }
  const { length, open } = request.body
  const headers = { 'content-length': String(length) }
  let opened: Readable | Uint8Array
  try {
    opened = await open()
  } catch (error) {
    throw new BodySourceError(error)
  }
  if (opened instanceof Uint8Array) return { body: Readable.from([opened]), headers, failure }
  const source = opened
  // The source may fail before anybody reads from it, and may never be read at all.
  source.on('error', error => {
    failure.error ??= error
  })
  const body = Readable.from(source.iterator())
  // The failure reaches undici too; when that has given up already, nobody else listens.
  body.on('error', () => {})
  body.once('close', () => source.destroy())
  return { body, headers, failure }
}
