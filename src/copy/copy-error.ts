import { RegctlError } from '../errors.js'

/** A copy can't be done as asked: an index is nested too deeply, a platform is not there. */
export class CopyError extends RegctlError {}
