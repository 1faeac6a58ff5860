import { RegctlError } from '../errors.js'

/**
 * A tar is not what the format allows, or leads where it may not.
 *
 * Codes: `bad-tar` (a malformed header), `truncated` (it ends too early), `too-large` (more than we are willing to
 * take), `unsafe-path`, `unsafe-link`, `bad-link`, `bad-member-type`, `ambiguous`, `missing-file`; all of kind `corrupt`.
 */
export class TarError extends RegctlError {
  constructor(message: string, code: string, hint?: string) {
    super(message, { kind: 'corrupt', code, hint })
  }
}

/** The error for an archive that ends before what it announced. */
export function truncated(label: string, why: string): TarError {
  return new TarError(`${label} ends too early: ${why}`, 'truncated', 'Copy or download the file again.')
}

/** The error for a header that cannot be read. `position` is its offset in the (uncompressed) tar. */
export function badTar(label: string, position: number, why: string): TarError {
  return new TarError(`${label} is not a valid tar at offset ${position}: ${why}`, 'bad-tar')
}
