import { setMaxListeners } from 'node:events'
import type { LookupFunction } from 'node:net'
import type { ProxyDecision } from '../config/proxies.js'
import { defaultTrust, type TlsSettings, type Trust } from '../config/trust.js'
import { Deadline } from '../deadline.js'
import { systemCodeOf } from '../errors.js'
import { HttpClient } from '../http/client.js'
import type { Answer } from '../http/exchange.js'
import { RequestSourceError } from '../http/http-error.js'
import { OutgoingBody } from '../http/outgoing-body.js'
import type { Destination } from '../http/socket.js'
import { DEFAULT_STALL_TIMEOUT_MS, StallClock } from '../http/stall-clock.js'
import { WeightedLimit } from '../limit.js'
import { guardLookup, isLoopback } from './addresses.js'
import { answersInClearText } from './clear-text.js'
import { movedBytesOf, type OpenedBody, openRequestBody } from './request-body.js'
import { BodySourceError, drain, type Endpoint, type Method, type Send } from './send.js'
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
const PROBE_TIMEOUT_MS = 15_000
/** How long a server that closes connections is listened to for the reason. */
const ALERT_TIMEOUT_MS = 1_000
const CLOSED = new Set(['ECONNRESET', 'EPIPE', 'HTTP_CLOSED'])

/** What is sent, of one exchange. */
interface Sent {
  method: Method
  signal: AbortSignal
  headers: Readonly<Record<string, string>>
  body: OpenedBody['body']
  closes: boolean
}

/**
 * Sends requests, each over a connection to its host that is as it has to be: with and without a certificate that counts,
 * with certificates of the host's own, and, for hosts that a registry sent us to, to no internal address.
 */
export class Transport implements AsyncDisposable {
  readonly #options: TransportOptions
  readonly #trust: Trust
  /** The hosts that have answered: what they close now is no refusal. */
  readonly #answered = new Set<string>()
  /** For connections, by origin. */
  readonly #rooms = new Map<string, WeightedLimit>()
  readonly #stallTimeoutMs: number
  readonly #client: HttpClient

  constructor(options: TransportOptions) {
    this.#options = options
    this.#trust = options.trust ?? defaultTrust
    this.#stallTimeoutMs = options.stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS
    const connectTimeoutMs =
      this.#stallTimeoutMs === 0 ? CONNECT_TIMEOUT_MS : Math.min(CONNECT_TIMEOUT_MS, this.#stallTimeoutMs)
    this.#client = new HttpClient({ connectTimeoutMs })
  }

  /** Sends one request as it is. Errors are those of {@link HttpClient}, or BodySourceError. */
  readonly send: Send = async request => {
    const { url, endpoint, method, context } = request
    // Every request that is under way listens to it, so there is no telling how many there will be.
    setMaxListeners(0, context.signal)
    const demands = await this.#demandsOn(url, endpoint)
    const clock = new StallClock(this.#stallTimeoutMs)
    const { body, headers } = await openRequestBody(request, clock)
    try {
      const answer = await this.#exchange(url, demands, clock, clock.answerLimitMs(movedBytesOf(request)), {
        method,
        signal: context.signal,
        headers: { ...request.headers, ...headers },
        body,
        closes: request.closes === true,
      })
      this.#answered.add(url.host)
      return { ...answer, url, bytes: Buffer.alloc(0), attempts: 1 }
    } catch (error) {
      if (body instanceof OutgoingBody) body.stop()
      if (error instanceof RequestSourceError) throw new BodySourceError(error.cause)
      throw await this.#explained(error, url, demands, context.signal)
    }
  }

  /**
   * Whether TLS is spoken by an insecure registry, whatever its certificate: any HTTP answer will do. Rejects with the
   * socket's error.
   *
   * @param registry as it stands in references
   * @returns false when it surely speaks clear text
   */
  async probe(url: URL, registry: string, signal: AbortSignal): Promise<boolean> {
    // A registry on this machine mostly speaks HTTP. That is seen without the certificates of the system and OpenSSL.
    const isNear = isLoopback(url.hostname) && this.#options.proxyFor(url) === undefined
    if (isNear && (await answersInClearText(url, this.#lookup(false), signal))) return false
    using deadline = new Deadline(PROBE_TIMEOUT_MS, signal)
    const tls = await this.#trust.settingsFor(registry, true)
    const demands = { verify: false, guarded: false, tls }
    const clock = new StallClock(this.#stallTimeoutMs)
    try {
      const sent = {
        method: 'GET',
        signal: deadline.signal,
        headers: {},
        body: undefined,
        closes: false,
      } as const
      drain((await this.#exchange(url, demands, clock, clock.answerLimitMs(0), sent)).body)
      return true
    } catch (error) {
      throw await this.#explained(error, url, demands, deadline.signal)
    }
  }

  /** Sends a request, by the clock. */
  async #exchange(
    url: URL,
    demands: Demands,
    clock: StallClock,
    answerLimitMs: number,
    sent: Sent,
  ): Promise<Answer> {
    const { closes, signal } = sent
    const send = async () => {
      signal.throwIfAborted()
      return await this.#client.send(this.#destinationOf(url, demands), {
        ...sent,
        target: `${url.pathname}${url.search}`,
        headers: {
          host: url.host,
          connection: closes ? 'close' : 'keep-alive',
          'user-agent': this.#options.userAgent,
          ...sent.headers,
        },
        clock,
        answerLimitMs,
      })
    }
    // What is uploaded may come from the same host, by a download that has a connection already or needs one: if one waited
    // for the other, neither would ever end.
    const isUpload = sent.body instanceof OutgoingBody
    if (isUpload) return await send()
    const room = this.#roomAt(url.origin)
    // What is under way listens to the signal itself.
    if (room.hasRoom(1)) return await withRoom(room, clock, send)
    return await unlessAborted(withRoom(room, clock, send), signal)
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

  #destinationOf(url: URL, { verify, guarded, tls }: Demands): Destination {
    // A proxy resolves names itself: what they resolve to can't be checked here.
    const proxy = this.#options.proxyFor(url)
    return {
      key: [url.origin, verify, guarded && proxy === undefined, tls.id, proxy?.href ?? ''].join(' '),
      url,
      verify,
      secureContext: tls.context,
      lookup: this.#lookup(guarded),
      proxy,
    }
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
    this.#client[Symbol.dispose]()
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

/** Whoever waits for room does not listen to the signal. */
async function unlessAborted<T>(answering: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason)
    const settled = () => signal.removeEventListener('abort', abort)
    signal.addEventListener('abort', abort)
    answering.then(resolve, reject).finally(settled)
    if (signal.aborted) abort()
  })
}
