import { type ErrorDetails, RegctlError } from '../errors.js'

/**
 * Compressed data cannot be read, or not written here.
 *
 * Codes: `corrupt-compression` (it fails its own check), `truncated` (it ends too early), `too-large` (it expands
 * without end), `unsupported-compression`, `zstd-unavailable`, `no-memory`.
 */
export class CompressionError extends RegctlError {}

/** The error for data that fails the checks of its own format. */
export function corruptCompression(what: string, kind: string, cause?: unknown): CompressionError {
  return failure(`${what} is damaged: its ${kind} data fails its own check`, 'corrupt-compression', cause)
}

/** The error for compressed data that ends before it says so. */
export function truncatedCompression(what: string, kind: string, cause?: unknown): CompressionError {
  return failure(`${what} ends too early: its ${kind} data is not all there`, 'truncated', cause)
}

/** The error for data in a form that we cannot decode. */
export function unsupportedCompression(
  what: string,
  why: string,
  hint: string,
  cause?: unknown,
): CompressionError {
  return new CompressionError(`${what} ${why}`, {
    kind: 'corrupt',
    code: 'unsupported-compression',
    hint,
    cause,
  })
}

function failure(message: string, code: string, cause: unknown): CompressionError {
  const details: ErrorDetails = { kind: 'corrupt', code, hint: 'Copy or download the file again.', cause }
  return new CompressionError(message, details)
}

/** What a decoder throws when its input ends too early. Callers of {@link decompress} see `truncated`. */
export class InputEnded extends Error {}
