import { type Readable, Transform } from 'node:stream'
import { joinStreams } from './join-streams.js'

/** Tells the absolute offset, counted from `from`, after each chunk that passes. Owns `input` as {@link joinStreams} does. */
export function countStream(input: Readable, from: number, tell: (offset: number) => void): Readable {
  let offset = from
  return joinStreams(
    input,
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        offset += chunk.length
        tell(offset)
        done(null, chunk)
      },
    }),
  )
}
