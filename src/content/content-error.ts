import { RegctlError } from '../errors.js'

/** Some content is not what it should be: a digest, a descriptor, a manifest, a reference. */
export class ContentError extends RegctlError {}
