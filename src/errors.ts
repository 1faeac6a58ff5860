/**
 * What kind of failure an error is. The command line turns each into one exit code;
 * a program can decide by it whether to try again.
 *
 * - `failed`: none of the others
 * - `usage`: the caller asked for something that makes no sense
 * - `not-found`: a file, image, tag or digest is not there
 * - `denied`: credentials are missing, wrong or insufficient
 * - `network`: the registry or the network failed, after the retries
 * - `corrupt`: data is not what its digest, size or format says
 * - `interrupted`: the caller's signal was aborted
 */
export type ErrorKind = 'failed' | 'usage' | 'not-found' | 'denied' | 'network' | 'corrupt' | 'interrupted'

/** The parts of a {@link RegctlError} besides its message. */
export interface ErrorDetails {
  /** Decides the exit code. */
  kind: ErrorKind
  /** Stable and machine-readable, in kebab case: `digest-mismatch`, `missing-layer`. */
  code: string
  /** What the reader can do about it, as one sentence. Absent when there is nothing useful to say. */
  hint?: string | undefined
  /** The error below this one. */
  cause?: unknown
}

/**
 * The base of every error that this package throws on purpose. The message is one line: what we were doing,
 * to what, and what came back. It never holds a secret.
 */
export class RegctlError extends Error {
  readonly kind: ErrorKind
  readonly code: string
  readonly hint: string | undefined

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = new.target.name
    this.kind = details.kind
    this.code = details.code
    this.hint = details.hint
  }
}

/** Thrown when the caller's signal was aborted. */
export class InterruptedError extends RegctlError {
  constructor(message = 'interrupted', cause?: unknown) {
    super(message, { kind: 'interrupted', code: 'interrupted', cause })
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The system's code of an error (`ENOENT`, `ECONNRESET`), when it has one. */
export function systemCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' ? code : undefined
}
