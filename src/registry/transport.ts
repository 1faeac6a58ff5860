import { once, setMaxListeners } from 'node:events'
import type { LookupFunction } from 'node:net'
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { ProxyDecision } from '../config/proxies.js'
import { defaultTrust, type TlsSettings, type Trust } from '../config/trust.js'
import { systemCodeOf } from '../errors.js'
import { WeightedLimit } from '../limit.js'
import { guardLookup, isLoopback } from './addresses.js'
import { answersInClearText } from './clear-text.js'
import { loadUndici, openPool } from './connection-pool.js'
import { movedBytesOf, openRequestBody } from './request-body.js'
import { BodySourceError, type Endpoint, type Method, type Send } from './send.js'
import { DEFAULT_STALL_TIMEOUT_MS, StallClock, withStallClock } from './stall.js'
import { CertificateError, isCertificateCode, isClientCertificateAlert } from './tls-error.js'
import { inspectTls } from './tls-inspection.js'
import type { UrlPolicy } from './urls.js'

/** How connections are made. */
export interface TransportOptions {
  userAgent: string
  /** The most connections to one host, besides those that bodies are uploaded over. */
  maximumConnections: number
  /** The proxy for a URL; undefined for none. */
  proxyFor: ProxyDecision
  policy: UrlPolicy
  /** Which certificates are trusted and shown; Node's own roots when not given. */
  trust?: Trust | undefined
  /** Resolves names; the system when not given. */
  lookup?: LookupFunction | undefined
  /** How long a connection may stand still (rule R248); 0 for ever. {@link DEFAULT_STALL_TIMEOUT_MS} when not given. */
  stallTimeoutMs?: number | undefined
}

/** What a connection must be like. */
interface Demands {
  verify: boolean
  /** The host's name may not resolve to an internal address (rule R216). */
  guarded: boolean
  tls: TlsSettings
}

const CONNECT_TIMEOUT_MS = 15_000
/** How long a server that closes connections is listened to for the reason. */
const ALERT_TIMEOUT_MS = 1_000
const CLOSED = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

/**
 * The pools of connections, one for each way in which hosts are connected to: with and without a certificate that counts,
 * with certificates of their own, and hosts that a registry sent us to, whose names may not resolve to internal
 * addresses.
 */
export class Transport implements AsyncDisposable {
  readonly #options: TransportOptions
  readonly #trust: Trust
  /** By what is demanded of the connection and by the proxy. Made when first needed. */
  readonly #pools = new Map<string, Promise<Dispatcher>>()
  /** The hosts that have answered: what they close now is no refusal. */
  readonly #answered = new Set<string>()
  /** For connections, by origin. */
  readonly #rooms = new Map<string, WeightedLimit>()
  readonly #stallTimeoutMs: number
  readonly #connectTimeoutMs: number
  readonly #closing = new AbortController()

  constructor(options: TransportOptions) {
    this.#options = options
    this.#trust = options.trust ?? defaultTrust
    this.#stallTimeoutMs = options.stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS
    this.#connectTimeoutMs =
      this.#stallTimeoutMs === 0 ? CONNECT_TIMEOUT_MS : Math.min(CONNECT_TIMEOUT_MS, this.#stallTimeoutMs)
    setMaxListeners(0, this.#closing.signal)
  }

  /** Sends one request as it is. Errors are those of undici and of the socket, or BodySourceError. */
  readonly send: Send = async request => {
    const { url, endpoint, method, context } = request
    // Every request that is under way listens to it, so there is no telling how many there will be.
    setMaxListeners(0, context.signal)
    const demands = await this.#demandsOn(url, endpoint)
    const clock = new StallClock(this.#stallTimeoutMs)
    const source = await openRequestBody(request, clock)
    const isStreamed = source.body instanceof Readable
    const answerMs = isStreamed ? undefined : clock.answerLimitMs(movedBytesOf(request))
    try {
      const { statusCode, headers, body } = await this.#exchange(url, demands, clock, answerMs, {
        method,
        signal: context.signal,
        headers: { ...request.headers, ...source.headers },
        body: source.body,
        ...(request.closes === true && { reset: true }),
      })
      this.#answered.add(url.host)
      return { status: statusCode, headers, url, body, bytes: Buffer.alloc(0), attempts: 1 }
    } catch (error) {
      if (source.body instanceof Readable) source.body.destroy()
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
    // A registry on this machine mostly speaks HTTP. That is seen without the certificates of the system and OpenSSL.
    const isNear = isLoopback(url.hostname) && this.#options.proxyFor(url) === undefined
    if (isNear && (await answersInClearText(url, this.#lookup(false), signal)))
      throw Object.assign(new Error('the answer is no TLS'), { code: 'ERR_SSL_WRONG_VERSION_NUMBER' })
    const tls = await this.#trust.settingsFor(registry, true)
    const demands = { verify: false, guarded: false, tls }
    const clock = new StallClock(this.#stallTimeoutMs)
    try {
      const limitMs = clock.answerLimitMs(0)
      const { body } = await this.#exchange(url, demands, clock, limitMs, { method: 'GET', signal })
      body.on('error', () => {}).resume()
    } catch (error) {
      throw await this.#explained(error, url, demands, signal)
    }
  }

  /** Sends a request through the pool that fits it, by the clock. */
  async #exchange(
    url: URL,
    demands: Demands,
    clock: StallClock,
    answerMs: number | undefined,
    options: Pick<Dispatcher.RequestOptions, 'headers' | 'body' | 'reset'> & {
      method: Method
      signal: AbortSignal
    },
  ) {
    const pool = await this.#poolFor(url, demands)
    const undici = await loadUndici()
    const dispatcher = withStallClock(pool, clock, answerMs)
    const headers = { 'user-agent': this.#options.userAgent, ...options.headers }
    // undici ends the connection after a HEAD unless told otherwise; most of our requests are just that.
    const reuse = options.method === 'HEAD' ? { reset: false } : {}
    const send = async () => {
      options.signal.throwIfAborted()
      return await undici.request(url, { ...options, ...reuse, headers, dispatcher })
    }
    // What is uploaded may come from the same host, by a download that has a connection already or needs one: if one waited
    // for the other, neither would ever end.
    const isUpload = options.body instanceof Readable
    const answering = isUpload ? send() : withRoom(this.#roomAt(url.origin), clock, send)
    return await unlessAborted(answering, options.signal)
  }

  #roomAt(origin: string): WeightedLimit {
    const room = this.#rooms.get(origin) ?? new WeightedLimit({ count: this.#options.maximumConnections })
    this.#rooms.set(origin, room)
    return room
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
    // A proxy resolves names itself: what they resolve to can't be checked here.
    const proxy = this.#options.proxyFor(url)
    const { verify, guarded, tls } = demands
    const key = [verify, guarded && proxy === undefined, tls.id, proxy?.href ?? ''].join(' ')
    const known = this.#pools.get(key)
    if (known !== undefined) return await known
    const made = openPool({
      connectTimeoutMs: this.#connectTimeoutMs,
      verify,
      secureContext: tls.context,
      lookup: this.#lookup(guarded),
      proxy,
      signal: this.#closing.signal,
    })
    this.#pools.set(key, made)
    return await made
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

  /** Closes every connection at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await Promise.all([...this.#pools.values()].map(async pool => await (await pool).destroy()))
  }
}

/** Sends when there is a connection left, which counts until the exchange is over. */
async function withRoom<T>(room: WeightedLimit, clock: StallClock, send: () => Promise<T>): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const exchange = async () => {
      resolve(await send())
      await clock.ended
    }
    room.run(1, exchange).catch(reject)
  })
}

/** undici hears of an abort once there is a connection, which may never be. */
async function unlessAborted<T>(answering: Promise<T>, signal: AbortSignal): Promise<T> {
  const settled = new AbortController()
  const aborted = once(signal, 'abort', { signal: settled.signal })
  answering.catch(() => {})
  aborted.catch(() => {})
  try {
    signal.throwIfAborted()
    return await Promise.race([answering, aborted.then(() => Promise.reject(signal.reason))])
  } finally {
    settled.abort()
  }
}
