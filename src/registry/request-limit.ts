import { MAXIMUM_RETRY_AFTER_MS, type RetryOptions, retryAfterMs } from './retry.js'
import { headerOf, type RegistryRequest, type RegistryResponse, type Send } from './send.js'

/** After so many answers that are no 429, one more request may be under way. */
const ANSWERS_FOR_ONE_MORE = 10
/** With so many again, a host is as good as one that never complained. */
const NO_LIMIT_FROM = 16

/**
 * Sends fewer requests at a time to a host that answers 429: half of those that were under way, and one more after every
 * ten that went well (rule R201). When the host says how long it wants to be left alone, nothing is sent to it for as
 * long, by any transfer (rule R198).
 *
 * A request counts until its answer begins. One with a body is never held back for others, nor are others for it: its bytes
 * may come from a download of the same host, and then one would wait for the other for ever.
 */
export function withRequestLimit(next: Send, options: Pick<RetryOptions, 'now' | 'sleep'>): Send {
  const hosts = new Map<string, HostLimit>()
  return async request => {
    const { origin } = request.url
    const host = hosts.get(origin) ?? new HostLimit(options)
    hosts.set(origin, host)
    return await host.send(next, request)
  }
}

/** What one host has been found to bear. */
class HostLimit {
  readonly #options: Pick<RetryOptions, 'now' | 'sleep'>
  #limit = Number.POSITIVE_INFINITY
  #underWay = 0
  /** Those with a body. */
  #uploads = 0
  #goodAnswers = 0
  /** Counts how often the limit was lowered: what was sent before says nothing about the limit since. */
  #cuts = 0
  #restUntil = 0
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>()

  constructor(options: Pick<RetryOptions, 'now' | 'sleep'>) {
    this.#options = options
  }

  async send(next: Send, request: RegistryRequest): Promise<RegistryResponse> {
    const { signal } = request.context
    const restMs = this.#restUntil - this.#options.now()
    if (restMs > 0) await this.#options.sleep(restMs, signal)
    const isUpload = request.body !== undefined
    if (isUpload) this.#uploads++
    else await this.#turn(signal)
    const cuts = this.#cuts
    try {
      const response = await next(request)
      if (response.status === 429) this.#slowDown(response, cuts)
      else this.#speedUp()
      return response
    } finally {
      if (isUpload) this.#uploads--
      else this.#underWay--
      this.#startNext()
    }
  }

  /** Waits until there is room for another request, and takes it. */
  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#waiting.size === 0 && this.#underWay < this.#limit) {
      this.#underWay++
      return
    }
    await new Promise<void>((resolve, reject) => {
      const start = () => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = () => {
        this.#waiting.delete(start)
        reject(signal.reason)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.add(start)
    })
  }

  #startNext(): void {
    for (const start of this.#waiting) {
      if (this.#underWay >= this.#limit) return
      this.#waiting.delete(start)
      this.#underWay++
      start()
    }
  }

  #slowDown(response: RegistryResponse, cutsBefore: number): void {
    const now = this.#options.now()
    const restMs = retryAfterMs(headerOf(response, 'retry-after'), now) ?? 0
    // Who is told to come back in hours does not wait, but fails.
    if (restMs <= MAXIMUM_RETRY_AFTER_MS) this.#restUntil = Math.max(this.#restUntil, now + restMs)
    if (cutsBefore !== this.#cuts) return
    this.#cuts++
    this.#goodAnswers = 0
    this.#limit = Math.max(1, Math.floor(Math.min(this.#limit, this.#underWay + this.#uploads) / 2))
  }

  #speedUp(): void {
    this.#goodAnswers++
    if (this.#goodAnswers % ANSWERS_FOR_ONE_MORE !== 0) return
    this.#limit = this.#limit + 1 < NO_LIMIT_FROM ? this.#limit + 1 : Number.POSITIVE_INFINITY
  }
}
