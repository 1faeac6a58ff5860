import { Readable } from 'node:stream'
import { type Chunks, copiesOf } from '../content/chunks.js'

/** The body of an answer, read once. What is not read to its end must be ended, which ends the connection too. */
export interface ResponseBody extends Chunks {
  /** Ends the reading, as leaving the loop does. Whoever waits for a chunk is told this error, or a general one. */
  destroy(error?: Error): unknown
}

/** A body as a stream, whose chunks are the reader's for good. Destroying it ends the reading. */
export function streamOf(body: ResponseBody): Readable {
  if (body instanceof Readable) return body
  const stream = Readable.from(copiesOf(body), { highWaterMark: 1 })
  stream.once('close', () => body.destroy())
  return stream
}

/** What a generator makes of a body. @param end is called at the end, however it comes, and ends a wait of the generator too */
export function bodyFrom(chunks: Chunks, end: (error?: Error) => void): ResponseBody {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* chunks
      } finally {
        end()
      }
    },
    destroy: end,
  }
}
