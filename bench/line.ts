import { startFaultyProxy } from '../test/support/faulty-proxy.js'

/** What the line gives to each connection over which the one large blob comes: 100 Mbit. */
export const LINE_BYTES_PER_SECOND = 12_500_000

/** What is between a tool and a registry. */
export interface LineOptions {
  roundTripMs?: number
  bytesPerSecond?: number
}

/** A line to a registry; none where it would be perfect, since a proxy takes time of its own. */
export async function startLine(
  host: string,
  options: LineOptions,
): Promise<{ host: string } & AsyncDisposable> {
  const { roundTripMs = 0, bytesPerSecond } = options
  if (roundTripMs > 0 || bytesPerSecond !== undefined) return await startFaultyProxy(host, options)
  return { host, [Symbol.asyncDispose]: async () => {} }
}
