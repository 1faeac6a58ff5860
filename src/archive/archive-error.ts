import { RegctlError } from '../errors.js'

/**
 * A local file or folder cannot be opened as one that holds images.
 *
 * Codes: `not-an-image` (kind `corrupt`), `no-such-file` (kind `not-found`), `unreadable-file`; for folders those of
 * TarError too.
 */
export class ArchiveError extends RegctlError {}
