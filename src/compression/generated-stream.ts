import { Readable } from 'node:stream'

/**
 * A stream of what a generator makes from an input, at the reader's pace.
 *
 * `Readable.from` would do, but that waits for the generator before it is destroyed, and the generator may be waiting for an
 * input that never comes. This one destroys the input first.
 *
 * @param chunks are the generator's; it is ended when the stream is destroyed
 * @param input is destroyed with the stream, and when the stream has ended
 */
export function generatedStream(
  chunks: AsyncGenerator<Uint8Array>,
  input: Readable,
  highWaterMark = 512 * 1024,
): Readable {
  return new Readable({
    highWaterMark,
    read() {
      chunks.next().then(
        next => this.push(next.done === true ? null : next.value),
        error => this.destroy(error),
      )
    },
    destroy(error, done) {
      input.destroy()
      chunks.return(undefined).catch(() => {})
      done(error)
    },
  })
}
