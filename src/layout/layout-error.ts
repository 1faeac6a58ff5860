import type { Context } from '../content/store.js'
import { InterruptedError, RegctlError } from '../errors.js'

/** A layout, or a folder in the `dir` format, cannot be read or written as asked. */
export class LayoutError extends RegctlError {}

/** Ends a call early. @throws InterruptedError when the caller's signal is aborted */
export function checkSignal({ signal }: Context): void {
  if (signal.aborted) throw new InterruptedError(undefined, signal.reason)
}
