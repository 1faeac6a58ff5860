import { RegctlError } from '../errors.js'

/** An image can't be converted as asked. */
export class ConvertError extends RegctlError {}
