import { setMaxListeners } from 'node:events'
import type { LookupFunction } from 'node:net'
import { Readable } from 'node:stream'
import type { Agent, Dispatcher, ProxyAgent } from 'undici'
import type { ProxyDecision } from '../config/proxies.js'
import { defaultTrust, type TlsSettings, type Trust } from '../config/trust.js'
import { systemCodeOf } from '../errors.js'
import { guardLookup, isLoopback } from './addresses.js'
import { BodySourceError, type Endpoint, type RegistryRequest, type Send } from './send.js'
import { CertificateError, isCertificateCode, isClientCertificateAlert } from './tls-error.js'
import { inspectTls } from './tls-inspection.js'
import type { UrlPolicy } from './urls.js'

/** How connections are made. */
export interface TransportOptions {
  userAgent: string
  /** The most connections to one host. */
  maximumConnections: number
  /** The proxy for a URL; undefined for none. */
  proxyFor: ProxyDecision
  policy: UrlPolicy
  /** Which certificates are trusted and shown; Node's own roots when not given. */
  trust?: Trust | undefined
  /** Resolves names; the system when not given. */
  lookup?: LookupFunction | undefined
}

/** What a connection must be like. */
interface Demands {
  verify: boolean
  /** The host's name may not resolve to an internal address (rule R216). */
  guarded: boolean
  tls: TlsSettings
}

/** Loaded with the first request: it is a good part of what starting takes, and many commands need no registry. */
const loadUndici = () => import('undici')

const CONNECT_TIMEOUT_MS = 15_000
const HEADERS_TIMEOUT_MS = 300_000
/** A body on which nothing comes for this long is given up (rule R248). */
const BODY_TIMEOUT_MS = 60_000
/** How long a server that closes connections is listened to for the reason. */
const ALERT_TIMEOUT_MS = 1_000
const CLOSED = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])
/** Signed URLs in Location and Link are long (rule R203). */
const HEADER_LIMIT_BYTES = 32 * 1024

/**
 * The pools of connections, one for each way in which hosts are connected to: with and without a certificate that counts,
 * with certificates of their own, and hosts that a registry sent us to, whose names may not resolve to internal
 * addresses.
 */
export class Transport implements AsyncDisposable {
  readonly #options: TransportOptions
  readonly #trust: Trust
  /** By what is demanded of the connection and by the proxy. Made when first needed. */
  readonly #pools = new Map<string, Agent | ProxyAgent>()
  /** The hosts that have answered: what they close now is no refusal. */
  readonly #answered = new Set<string>()

  constructor(options: TransportOptions) {
    this.#options = options
    this.#trust = options.trust ?? defaultTrust
  }

  /** Sends one request as it is. Errors are those of undici and of the socket, or BodySourceError. */
  readonly send: Send = async request => {
    const { url, endpoint, method, context } = request
    // Every request that is under way listens to it, so there is no telling how many there will be.
    setMaxListeners(0, context.signal)
    const demands = await this.#demandsOn(url, endpoint)
    const dispatcher = await this.#poolFor(url, demands)
    const undici = await loadUndici()
    const source = await bodyOf(request)
    try {
      const response = await undici.request(url, {
        method,
        dispatcher,
        signal: context.signal,
        headers: { 'user-agent': this.#options.userAgent, ...request.headers, ...source.headers },
        body: source.body,
        // undici ends the connection after a HEAD unless told otherwise; most of our requests are just that.
        ...(method === 'HEAD' && { reset: false }),
      })
      this.#answered.add(url.host)
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
      throw await this.#explained(error, url, demands, context.signal)
    }
  }

  /**
   * Whether TLS is spoken by an insecure registry, whatever its certificate: any HTTP answer will do. Rejects with the
   * socket's error.
   *
   * @param registry as it stands in references
   */
  async probe(url: URL, registry: string, signal: AbortSignal): Promise<void> {
    const tls = await this.#trust.settingsFor(registry, true)
    const demands = { verify: false, guarded: false, tls }
    const dispatcher = await this.#poolFor(url, demands)
    const undici = await loadUndici()
    try {
      const response = await undici.request(url, { dispatcher, signal, method: 'GET' })
      await response.body.dump()
    } catch (error) {
      throw await this.#explained(error, url, demands, signal)
    }
  }

  async #demandsOn(url: URL, endpoint: Endpoint): Promise<Demands> {
    const { policy } = this.#options
    // Another port is another server: it is not shown what was meant for the registry (rule R209).
    const isNamed = url.host === endpoint.base.host
    const isOwnHost = url.hostname === endpoint.base.hostname
    const isInsecure = isNamed ? endpoint.insecure : policy.isInsecure(url.host)
    const bothLoopback = isLoopback(url.hostname) && isLoopback(endpoint.base.hostname)
    const tls =
      url.protocol === 'https:'
        ? await this.#trust.settingsFor(isNamed ? endpoint.registry : url.host, isNamed)
        : { id: '', context: undefined }
    return {
      verify: !isInsecure,
      guarded: !(isInsecure || isOwnHost || policy.allowInternal || bothLoopback),
      tls,
    }
  }

  async #poolFor(url: URL, demands: Demands): Promise<Dispatcher> {
    const { Agent, ProxyAgent } = await loadUndici()
    // A proxy resolves names itself: what they resolve to can't be checked here.
    const proxy = this.#options.proxyFor(url)
    const { verify, guarded, tls } = demands
    const key = [verify, guarded && proxy === undefined, tls.id, proxy?.href ?? ''].join(' ')
    const known = this.#pools.get(key)
    if (known !== undefined) return known
    const connect = {
      timeout: CONNECT_TIMEOUT_MS,
      // Said in any case: NODE_TLS_REJECT_UNAUTHORIZED must not decide it (rule R164).
      rejectUnauthorized: verify,
      ...(tls.context !== undefined && { secureContext: tls.context }),
    }
    const lookup = this.#lookup(guarded)
    const made =
      proxy === undefined
        ? new Agent({
            ...this.#poolOptions(),
            connect: { ...connect, ...(lookup !== undefined && { lookup }) },
          })
        : new ProxyAgent({
            ...this.#poolOptions(),
            uri: proxy.href,
            requestTls: connect,
            proxyTls: { timeout: CONNECT_TIMEOUT_MS, rejectUnauthorized: true },
          })
    this.#pools.set(key, made)
    return made
  }

  #lookup(guarded: boolean): LookupFunction | undefined {
    const { lookup } = this.#options
    return guarded ? guardLookup(lookup) : lookup
  }

  /**
   * An error of a connection with what a further handshake shows: the certificate that was refused, or that the server
   * closes without one of ours, which it says too late for the request that failed.
   */
  async #explained(error: unknown, url: URL, demands: Demands, signal: AbortSignal): Promise<unknown> {
    const code = systemCodeOf(error) ?? ''
    const isRefused = isCertificateCode(code)
    const isClosed = CLOSED.has(code) && url.protocol === 'https:' && !this.#answered.has(url.host)
    if (signal.aborted || !(isRefused || isClosed)) return error
    try {
      const { chain } = await inspectTls(url, {
        proxy: this.#options.proxyFor(url),
        lookup: this.#lookup(demands.guarded),
        context: demands.tls.context,
        ...(isClosed && { listenMs: ALERT_TIMEOUT_MS }),
        signal,
      })
      return isRefused ? new CertificateError(code, url, chain, demands.tls.folder, error) : error
    } catch (alert) {
      return isClosed && isClientCertificateAlert(alert) ? alert : error
    }
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
    await Promise.all([...this.#pools.values()].map(pool => pool.destroy()))
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
