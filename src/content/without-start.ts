import type { Readable } from 'node:stream'

/** The chunks of a stream without its first bytes, where a source can't begin later. Consumes the stream. */
export async function* withoutStart(input: Readable, count: number): AsyncGenerator<Buffer> {
  let left = count
  for await (const chunk of input as AsyncIterable<Buffer>) {
    if (left >= chunk.length) left -= chunk.length
    else {
      yield left === 0 ? chunk : chunk.subarray(left)
      left = 0
    }
  }
}
