import { Readable } from 'node:stream'
import type { Chunks } from '../content/chunks.js'
import { BodySourceError, type RegistryRequest } from './send.js'
import type { StallClock } from './stall.js'

/**
 * What is given to the socket at once: that it takes a piece shows that the connection moves. Larger ones cost less, so they
 * grow as long as each is taken quickly.
 */
const PIECE_BYTES = 64 * 1024
const LARGEST_PIECE_BYTES = 1024 * 1024
const QUICK_MS = 250

/** A request's body, opened for one exchange. */
export interface OpenedBody {
  body: Readable | Buffer | null
  headers: Record<string, string>
  /** Filled when the source fails: the error that undici reports then could as well be the socket's. */
  failure: { error?: unknown }
}

/**
 * Opens the body of a request. As it is sent, it winds the clock: that runs while the socket takes nothing, stands while
 * the source has nothing to give, and at the end waits for the answer.
 *
 * @throws BodySourceError
 */
export async function openRequestBody(request: RegistryRequest, clock: StallClock): Promise<OpenedBody> {
  const failure: { error?: unknown } = {}
  if (request.body === undefined) return { body: null, headers: {}, failure }
  const { length, open } = request.body
  const headers = { 'content-length': String(length) }
  let source: Chunks | Uint8Array
  try {
    source = await open()
  } catch (error) {
    throw new BodySourceError(error)
  }
  if (source instanceof Uint8Array && source.length <= PIECE_BYTES) {
    return { body: Buffer.from(source.buffer, source.byteOffset, source.length), headers, failure }
  }
  const pieces = source instanceof Uint8Array ? [source] : noting(source, failure)
  const body = Readable.from(wind(pieces, request, clock))
  // The failure reaches undici too; when that has given up already, nobody else listens.
  body.on('error', () => {})
  return { body, headers, failure }
}

async function* noting(source: Chunks, failure: { error?: unknown }): AsyncGenerator<Buffer> {
  try {
    // undici keeps what it is given until the socket has taken it.
    for await (const chunk of source) yield Buffer.from(chunk)
  } catch (error) {
    failure.error ??= error
    throw error
  }
}

async function* wind(
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  request: RegistryRequest,
  clock: StallClock,
): AsyncGenerator<Uint8Array> {
  let pieceBytes = PIECE_BYTES
  for await (const chunk of source) {
    for (let start = 0; start < chunk.length; ) {
      const piece = chunk.subarray(start, start + pieceBytes)
      start += piece.length
      clock.wait('sending')
      const given = performance.now()
      yield piece
      clock.rest('sending')
      const isQuick = performance.now() - given < QUICK_MS
      pieceBytes = isQuick ? Math.min(pieceBytes * 2, LARGEST_PIECE_BYTES) : PIECE_BYTES
    }
  }
  clock.wait('answer', clock.answerLimitMs(movedBytesOf(request)))
}

/** What the server has to see to before it answers. */
export function movedBytesOf({ movedBytes, body }: RegistryRequest): number {
  return movedBytes ?? body?.length ?? 0
}
