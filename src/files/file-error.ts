import { RegctlError } from '../errors.js'

/** A file is not what it should be, or somebody else keeps it: `unsafe-link`, `bad-member-type`, `file-locked`. */
export class FileError extends RegctlError {}
