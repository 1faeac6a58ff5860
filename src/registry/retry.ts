import { setTimeout as sleepFor } from 'node:timers/promises'
import { InterruptedError, RegctlError } from '../errors.js'
import { describeStatus, readErrorBody } from './error-body.js'
import { explainNetworkError } from './network-error.js'
import { RegistryError } from './registry-error.js'
import { BodySourceError, headerOf, type RegistryRequest, type RegistryResponse, type Send } from './send.js'

/** How long and how often. Tests pass small numbers. */
export interface RetryOptions {
  /** The most times one request is sent. */
  attempts: number
  firstDelayMs: number
  maximumDelayMs: number
  /** The most retries of one client before successes refill it, so that a dead registry fails soon (rule R238). */
  budget: number
  sleep(delayMs: number, signal: AbortSignal): Promise<void>
  random(): number
  now(): number
}

export const defaultRetryOptions: RetryOptions = {
  attempts: 5,
  firstDelayMs: 500,
  maximumDelayMs: 30_000,
  budget: 50,
  sleep: async (delayMs, signal) => {
    await sleepFor(delayMs, undefined, { signal })
  },
  random: Math.random,
  now: Date.now,
}

const RETRYABLE = new Set([408, 429, 499, 500, 502, 503, 504, 522])
/** What a server asks for beyond this is not waited for (rules R197, R198). */
export const MAXIMUM_RETRY_AFTER_MS = 60_000
const MAXIMUM_THROTTLED_ATTEMPTS = 4

/** Whether a status is worth another attempt (rule R237). */
export function isRetryableStatus(status: number): boolean {
  return RETRYABLE.has(status)
}

/** docker-registry wraps this refusal in a 500: the same manifest again gets the same answer (rule R25). */
function isFinal({ status, bytes }: RegistryResponse): boolean {
  return status === 500 && readErrorBody(bytes).codes.includes('MANIFEST_BLOB_UNKNOWN')
}

/** What a failed attempt leaves to do. */
interface Failure {
  cause: string
  delayMs: number
}

/** Sends whole requests again: what came back so far is thrown away (rules R237 to R240, R250). */
export class Retrier {
  readonly #options: RetryOptions
  #budget: number

  constructor(options: RetryOptions) {
    this.#options = options
    this.#budget = options.budget
  }

  /**
   * Wraps a sender.
   *
   * @throws RegistryError of kind `network` when no answer came, InterruptedError when the signal was aborted. An answer
   *   that is still an error after the last attempt is returned as it is.
   */
  wrap(next: Send): Send {
    return async request => {
      const maximum = request.attempts ?? this.#options.attempts
      for (let attempt = 1; ; attempt++) {
        const { response, failure } = await this.#attempt(next, request, attempt, maximum)
        if (failure === undefined) return { ...response, attempts: attempt }
        await this.pause(request, attempt, failure)
      }
    }
  }

  /** One attempt: a response to return, or a failure after which to try again. */
  async #attempt(
    next: Send,
    request: RegistryRequest,
    attempt: number,
    maximum: number,
  ): Promise<
    { response: RegistryResponse; failure?: undefined } | { response?: undefined; failure: Failure }
  > {
    try {
      request.context.signal.throwIfAborted()
      const response = await next(request)
      if (!isRetryableStatus(response.status) || isFinal(response)) {
        this.#budget = Math.min(this.#options.budget, this.#budget + 0.5)
        return { response }
      }
      const delayMs = this.delayAfter(response, attempt)
      if (attempt >= maximum || request.movesOn === true || delayMs === undefined || !this.#spend())
        return { response }
      return { failure: { cause: `answered ${describeStatus(response.status, response.bytes)}`, delayMs } }
    } catch (error) {
      if (request.context.signal.aborted)
        throw new InterruptedError(`${request.operation} was interrupted`, error)
      if (error instanceof RegctlError || error instanceof BodySourceError) throw error
      const { text, code, hint, retry, isReset } = explainNetworkError(error, request.url, request.endpoint)
      const isHopeless = retry === 'no' || (retry === 'once' && attempt > 1)
      const isLast = isHopeless || attempt >= maximum || (request.movesOn === true && !isReset)
      if (isLast || !this.#spend()) {
        throw new RegistryError(request.operation, {
          kind: 'network',
          code,
          method: request.method,
          url: request.url,
          outcome: text,
          attempts: attempt,
          hint,
          cause: error,
        })
      }
      // A kept connection that was closed meanwhile says nothing about the registry: the first time is free.
      const isFree = isReset && attempt === 1
      const delayMs = isFree ? 0 : retry === 'once' ? this.#options.firstDelayMs * 2 : this.backoff(attempt)
      return { failure: { cause: text.replace(/^failed: /, ''), delayMs } }
    }
  }

  /** Waits before another attempt, and tells why. */
  async pause(
    request: Pick<RegistryRequest, 'operation' | 'context'>,
    attempt: number,
    failure: Failure,
  ): Promise<void> {
    const { operation, context } = request
    const delayMs = Math.round(failure.delayMs)
    context.emit({ type: 'retrying', operation, cause: failure.cause, attempt, delayMs })
    if (delayMs === 0) return
    try {
      await this.#options.sleep(delayMs, context.signal)
    } catch (error) {
      throw new InterruptedError(`${operation} was interrupted`, error)
    }
  }

  /** How long to wait before sending again what got this answer; undefined when the registry asks for too long. */
  delayAfter(response: RegistryResponse, attempt: number): number | undefined {
    const asked = retryAfterMs(headerOf(response, 'retry-after'), this.#options.now())
    if (response.status === 429) {
      if (asked !== undefined && asked > MAXIMUM_RETRY_AFTER_MS) return undefined
      if (attempt >= MAXIMUM_THROTTLED_ATTEMPTS) return undefined
    }
    return asked === undefined ? this.backoff(attempt) : Math.min(asked, MAXIMUM_RETRY_AFTER_MS)
  }

  /** A growing delay with full jitter. */
  backoff(attempt: number): number {
    const { firstDelayMs, maximumDelayMs, random } = this.#options
    return random() * Math.min(maximumDelayMs, firstDelayMs * 2 ** (attempt - 1))
  }

  #spend(): boolean {
    if (this.#budget < 1) return false
    this.#budget--
    return true
  }
}

/** Longer is as good as for ever, and no number to show anybody. */
const LONGEST_ASKED_MS = 365 * 24 * 60 * 60 * 1000

/** Reads Retry-After, in seconds or as a date (rule R198). Undefined when absent, negative or malformed; a year at most. */
export function retryAfterMs(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\d+$/.test(text.trim())) return Math.min(Number(text) * 1000, LONGEST_ASKED_MS)
  const delay = /[a-z]/i.test(text) ? Date.parse(text) - now : Number.NaN
  return delay >= 0 ? Math.min(delay, LONGEST_ASKED_MS) : undefined
}
