/** What writing comes to when the reader of a pipe has ended, or the terminal was closed. */
const READER_GONE = ['EPIPE', 'EIO', 'ECONNRESET']

let isSet = false

/**
 * Lets a command go on, or fail for its own reasons, when nobody reads any more what it says: an error of a stream that
 * nobody listens to would end the process with a stack. What must not be lost (an archive) has listeners of its own.
 */
export function tolerateClosedOutputs(): void {
  if (isSet) return
  isSet = true
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!READER_GONE.includes(error.code ?? '')) throw error
    })
  }
}
