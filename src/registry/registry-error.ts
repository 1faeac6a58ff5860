import { type ErrorKind, RegctlError } from '../errors.js'
import type { Method } from './send.js'
import { displayUrl } from './urls.js'

/** The parts of a {@link RegistryError}. */
export interface RegistryErrorDetails {
  kind: ErrorKind
  code: string
  method: Method
  url: URL
  /** What went wrong, as it continues `PUT localhost:5000/v2/… `: `answered 500 (UNKNOWN)`. */
  outcome: string
  /** The HTTP status; undefined when no answer came. */
  status?: number | undefined
  /** The registry's own error codes, as sent. */
  codes?: readonly string[] | undefined
  attempts?: number | undefined
  /** Set before the request in the message: `repository not found or access denied`. */
  reason?: string | undefined
  hint?: string | undefined
  cause?: unknown
}

/**
 * A registry refused, misbehaved or could not be reached. The message has the operation, the request without its
 * query, what came back and how often it was tried (rule R256).
 */
export class RegistryError extends RegctlError {
  readonly method: Method
  /** Host and path of the request: a query can hold secrets (rule R219). */
  readonly url: string
  /** The HTTP status; undefined when no answer came. */
  readonly status: number | undefined
  /** The registry's own error codes; empty when it gave none. */
  readonly codes: readonly string[]
  readonly #operation: string
  readonly #details: RegistryErrorDetails

  constructor(operation: string, details: RegistryErrorDetails) {
    const url = displayUrl(details.url)
    const attempts = (details.attempts ?? 1) > 1 ? ` after ${details.attempts} attempts` : ''
    const reason = details.reason === undefined ? '' : `${details.reason}: `
    super(`${operation} failed: ${reason}${details.method} ${url} ${details.outcome}${attempts}`, details)
    this.method = details.method
    this.url = url
    this.status = details.status
    this.codes = details.codes ?? []
    this.#operation = operation
    this.#details = details
  }

  /** What went wrong, without the operation and the request: `the connection was closed`. */
  get outcome(): string {
    return this.#details.outcome.replace(/^failed: /, '')
  }

  /** The same error, when more is known than where it was found. */
  with(more: Partial<Pick<RegistryErrorDetails, 'attempts' | 'hint'>>): RegistryError {
    return new RegistryError(this.#operation, { ...this.#details, ...more })
  }
}

/** How to come in where credentials are missing or wrong. */
export function waysToLogIn(registry: string): string {
  return `Log in with \`regctl login ${registry}\`, or give \`--username\` and \`--password-stdin\``
}
