import { sanitize } from './error-body.js'
import { retryAfterMs } from './retry.js'
import { headerOf, type RegistryResponse } from './send.js'

/** What a registry says of its limit (Docker Hub's headers; rule R196). */
interface RateLimit {
  /** How many requests there are in a window; undefined when it doesn't tell. */
  allowed: number | undefined
  /** In milliseconds. */
  windowMs: number | undefined
  remaining: number | undefined
  /** The address or account that is counted. */
  source: string | undefined
}

/**
 * Explains a 429: what the limit is (most registries don't say; rule R199), how much of it is left, whom it counts, and when to come back (rules R196, R197).
 *
 * @param now in milliseconds since 1970
 */
export function explainRateLimit(response: RegistryResponse, registry: string, now: number): string {
  const { allowed, windowMs, remaining, source } = readRateLimit(response)
  const window = windowMs === undefined ? '' : ` in ${duration(windowMs)}`
  const rule = allowed === undefined ? '' : `${registry} allows ${allowed} requests${window}`
  const left = remaining === undefined ? '' : `${remaining} are left`
  const whom = source === undefined ? '' : `it counts those of ${source}`
  const waitMs = retryAfterMs(headerOf(response, 'retry-after'), now)
  const wait = waitMs === undefined ? 'Try again later' : `Try again in ${duration(waitMs)}`
  const facts = [rule, left, whom].filter(Boolean).join(', ')
  return `${facts === '' ? '' : `${facts}. `}${wait}, or log in for a higher limit`
}

/** Reads `ratelimit-limit: 100;w=21600` and what goes with it. */
function readRateLimit(response: RegistryResponse): RateLimit {
  const limit = /^\s*(\d{1,15})(?!\d)(?:\s*;\s*w=(\d{1,12})(?!\d))?/.exec(
    headerOf(response, 'ratelimit-limit') ?? '',
  )
  const remaining = /^\s*(\d{1,15})(?!\d)/.exec(headerOf(response, 'ratelimit-remaining') ?? '')?.[1]
  const source = sanitize(headerOf(response, 'docker-ratelimit-source') ?? '').slice(0, 100)
  return {
    allowed: limit?.[1] === undefined ? undefined : Number(limit[1]),
    windowMs: limit?.[2] === undefined ? undefined : Number(limit[2]) * 1000,
    remaining: remaining === undefined ? undefined : Number(remaining),
    source: source === '' ? undefined : source,
  }
}

const UNITS = [
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const

/** A time in the largest unit that it has at least one of, rounded up. */
function duration(milliseconds: number): string {
  const [name, length] = UNITS.find(unit => milliseconds >= unit[1]) ?? UNITS[2]
  const count = Math.ceil(milliseconds / length)
  return `${count} ${name}${count === 1 ? '' : 's'}`
}
