import type { IncomingMessage } from 'node:http'

/** So much of a body that was refused is read and thrown away, so that its sender can read the answer. */
const LIMIT_BYTES = 64 * 1024 * 1024
const LIMIT_MS = 10_000

/**
 * Reads what is left of a request's body, and drops it: a client that sends its body to the end before it looks at the
 * answer would wait without end, and the next request on the connection too (rule R244). One that goes on for too long
 * loses its connection.
 */
export function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  let left = LIMIT_BYTES
  const timer = setTimeout(() => request.destroy(), LIMIT_MS)
  timer.unref()
  request.once('close', () => clearTimeout(timer))
  request.on('error', () => {})
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) request.destroy()
  })
  request.resume()
}
