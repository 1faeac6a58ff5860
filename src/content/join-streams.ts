import type { Readable, Writable } from 'node:stream'

/**
 * `from.pipe(to)` where an error goes down and an early end goes up, so that the last stream stands for all of them:
 * whoever destroys it, or sees it fail, need not know the others.
 */
export function joinStreams<T extends Readable & Writable>(from: Readable, to: T): T {
  from.once('error', error => to.destroy(error))
  // Closed before its end and without an error, it says nothing: whoever reads would wait for ever.
  from.once('close', () => {
    if (!from.readableEnded) to.destroy(new Error('what was being read was closed before its end'))
  })
  to.once('close', () => from.destroy())
  return from.pipe(to)
}
