import type { Readable } from 'node:stream'
import { generatedStream } from '../compression/generated-stream.js'

/**
 * Looks at the start of a stream.
 *
 * @param count how many bytes are wanted; there are fewer only when the stream has no more
 * @returns the bytes, and a stream of everything including them; destroying it destroys `input`
 * @throws what the stream throws while its start is read
 */
export async function peek(input: Readable, count: number): Promise<{ head: Buffer; whole: Readable }> {
  const chunks: Buffer[] = []
  let size = 0
  const rest = (input as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  let isDone = false
  while (size < count && !isDone) {
    const next = await rest.next()
    if (next.done === true) isDone = true
    else {
      chunks.push(next.value)
      size += next.value.length
    }
  }
  const head = Buffer.concat(chunks).subarray(0, count)
  return { head, whole: generatedStream(continued(chunks, rest), input) }
}

async function* continued(start: Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* start.splice(0)
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}
