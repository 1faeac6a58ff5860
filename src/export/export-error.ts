import { quoted as quotedText } from '../content/printable.js'
import { RegctlError } from '../errors.js'

/**
 * The root file system of an image cannot be put together.
 *
 * Codes, all of kind `corrupt` but the last three: `unsafe-path`, `unsafe-link` (a layer leads out of the root), `bad-link`,
 * `bad-whiteout`, `bad-member-type`, `layer-count`, `too-large`; `not-an-image` (kind `usage`), `no-such-path` (kind
 * `not-found`), `not-a-file` (kind `usage`).
 */
export class ExportError extends RegctlError {}

/** The error for a layer that no file system can come of. */
export function badLayer(code: string, message: string): ExportError {
  return new ExportError(message, { kind: 'corrupt', code })
}

/** A path with one character for each byte, for a message. */
export function quoted(bytePath: string): string {
  return quotedText(Buffer.from(bytePath, 'latin1').toString('utf8'))
}
