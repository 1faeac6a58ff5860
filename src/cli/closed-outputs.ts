/** What writing comes to when the reader of a pipe has ended, or the terminal was closed. */
const READER_GONE = ['EPIPE', 'EIO', 'ECONNRESET']

/** What is known of standard output and standard error. */
export interface Outputs {
  /** Whether there are streams for them: what was written may be on its way. */
  readonly areUsed: boolean
}

/**
 * Lets a command go on, or fail for its own reasons, when nobody reads any more what it says: an error of a stream that
 * nobody listens to would end the process with a stack. What must not be lost (an archive) has listeners of its own.
 */
export function tolerateClosedOutputs(): Outputs {
  const outputs = { areUsed: false }
  const prepare = (stream: NodeJS.WriteStream) => {
    outputs.areUsed = true
    stream.on('error', tolerate)
  }
  for (const name of ['stdout', 'stderr'] as const) whenUsed(name, prepare)
  return outputs
}

function tolerate(error: NodeJS.ErrnoException): void {
  if (!READER_GONE.includes(error.code ?? '')) throw error
}

/** Node makes these streams when they are first used: most commands that go well never write to standard error. */
function whenUsed(name: 'stdout' | 'stderr', prepare: (stream: NodeJS.WriteStream) => void): void {
  const property = Object.getOwnPropertyDescriptor(process, name)
  let stream: NodeJS.WriteStream | undefined
  const get = () => {
    if (stream === undefined) {
      stream = property?.get?.call(process) as NodeJS.WriteStream
      prepare(stream)
    }
    return stream
  }
  if (property?.get === undefined || property.configurable !== true) prepare(process[name])
  else Object.defineProperty(process, name, { ...property, get })
}
