import type { X509Certificate } from 'node:crypto'
import type { Validity } from './certificate.js'

const DAY_MS = 24 * 60 * 60 * 1000
const RENEWAL_DAYS = 30
/** Clients' clocks may be a little behind. */
const SKEW_MS = 60 * 60 * 1000

/** So many days in all, of which the first hour has passed; certificates count in whole seconds. */
export function validFor(days: number, now: Date): Validity {
  const from = Math.floor((now.getTime() - SKEW_MS) / 1000) * 1000
  return { from: new Date(from), until: new Date(from + days * DAY_MS) }
}

/** Whether a certificate is valid no longer, or not for another 30 days, or not yet. */
export function isRunningOut(certificate: X509Certificate, now: Date): boolean {
  const left = Date.parse(certificate.validTo) - now.getTime()
  return left < RENEWAL_DAYS * DAY_MS || Date.parse(certificate.validFrom) > now.getTime()
}
