import { type CopyEvent, printable } from '../../index.js'
import { formatBytes } from './bytes.js'

/** The line for an event that is no progress but should be seen; undefined for all others. */
export function noticeLine(event: CopyEvent): string | undefined {
  if (event.type === 'warning') return `warning: ${printable(event.message)}\n`
  if (event.type === 'resuming') {
    const part = `${formatBytes(event.offset)} of ${formatBytes(event.size)}`
    return `resuming: ${printable(event.operation)}: goes on at ${part}\n`
  }
  if (event.type !== 'retrying') return undefined
  const seconds = (event.delayMs / 1000).toFixed(1)
  const what = `${printable(event.operation)}: ${printable(event.cause)}`
  return `retrying: ${what} (attempt ${event.attempt}, in ${seconds} s)\n`
}
