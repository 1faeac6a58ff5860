import { printable } from '../content/printable.js'
import { RegctlError } from '../errors.js'

/** A docker-archive is not what it should be. The codes name what is wrong: `missing-layer`, `layer-count`. */
export class DockerArchiveError extends RegctlError {}

/** The error for an archive that is broken. @param message may hold names of its files and images (rule R231) */
export function brokenArchive(code: string, message: string, hint?: string): DockerArchiveError {
  return new DockerArchiveError(printable(message), { kind: 'corrupt', code, hint })
}
