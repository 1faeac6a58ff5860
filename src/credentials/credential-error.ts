import { RegctlError } from '../errors.js'

/** Credentials can't be read, or the place they are kept in fails. */
export class CredentialError extends RegctlError {}
