import { type CopyEvent, printable } from '../../index.js'
import { formatBytes } from './bytes.js'

/** A wait as long as this is told of each time: nothing seems to happen meanwhile. */
const LONG_WAIT_MS = 5_000
/** A registry in trouble is so for many layers at once: of how many it is told. */
const MOST_OF_ONE_CAUSE = 3

/** The lines for events that are no progress but should be seen. */
export class Notices {
  /** The operations of which a retry was told. */
  readonly #retried = new Set<string>()
  readonly #resumed = new Set<string>()
  readonly #causes = new Map<string, number>()

  /**
   * The line for an event; undefined for most. Of each operation the first retry is told, with its cause, and where it
   * goes on the first time; of what many operations meet with, a few.
   */
  lineFor(event: CopyEvent): string | undefined {
    if (event.type === 'warning') return `warning: ${printable(event.message)}\n`
    if (event.type === 'resuming') {
      if (this.#resumed.has(event.operation)) return undefined
      this.#resumed.add(event.operation)
      const part = `${formatBytes(event.offset)} of ${formatBytes(event.size)}`
      return `resuming: ${printable(event.operation)}: goes on at ${part}\n`
    }
    if (event.type !== 'retrying') return undefined
    if (this.#retried.has(event.operation) && event.delayMs < LONG_WAIT_MS) return undefined
    this.#retried.add(event.operation)
    const count = (this.#causes.get(event.cause) ?? 0) + 1
    this.#causes.set(event.cause, count)
    if (count > MOST_OF_ONE_CAUSE && event.delayMs < LONG_WAIT_MS) return undefined
    const when = event.delayMs === 0 ? 'at once' : `in ${(event.delayMs / 1000).toFixed(1)} s`
    const what = `${printable(event.operation)}: ${printable(event.cause)}`
    return `retrying: ${what} (attempt ${event.attempt}, ${when})\n`
  }
}
