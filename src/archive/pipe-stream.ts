import { fstatSync } from 'node:fs'
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net'
import { Readable } from 'node:stream'
import { InterruptedError } from '../errors.js'

/** What a pipe of Linux holds, unless somebody made it larger. */
const PIPE_BYTES = 64 * 1024
const STANDARD_INPUT = 0

/** Somebody who waits for bytes. */
interface Request {
  into: Uint8Array
  filled: number
  /** As many are enough. */
  least: number
  seen(bytes: Uint8Array): void
  resolve(count: number): void
  reject(error: unknown): void
}

let opened: Readable | undefined

/** Standard input, to read an image from: faster than `process.stdin` where it is a pipe. Only one of the two can be read. */
export function standardInput(): Readable {
  // Windows has other pipes; a socket or a file is read as Node does it.
  const isPipe = () => process.platform !== 'win32' && fstatSync(STANDARD_INPUT).isFIFO()
  opened ??= isPipe() ? new PipeStream(STANDARD_INPUT) : process.stdin
  return opened
}

/**
 * A pipe that is read straight into its reader's memory, by {@link readInto}: as a stream it costs a new buffer for each
 * 64 KiB, a copy of it and several turns of the event loop's queues. It is a stream as well, for others who read it.
 */
export class PipeStream extends Readable {
  /** Takes what comes when nobody has asked for it. */
  readonly #memory = Buffer.allocUnsafeSlow(PIPE_BYTES)
  #left = this.#memory.subarray(0, 0)
  #request: Request | undefined
  #end: { error?: unknown } | undefined
  readonly #socket: Socket

  /** @param fd of the pipe; it is closed with the stream */
  constructor(fd: number) {
    super({ highWaterMark: PIPE_BYTES })
    const onread: OnReadOpts = {
      // Node asks after each piece where the next one shall go.
      buffer: () => this.#request?.into.subarray(this.#request.filled) ?? this.#memory,
      callback: (count, bytes) => this.#take(count, bytes),
    }
    const options: SocketConstructorOpts & { onread: OnReadOpts } = { fd, writable: false, onread }
    this.#socket = new Socket(options)
    this.#socket.once('end', () => this.#finish({}))
    this.#socket.once('error', error => this.#finish({ error }))
  }

  /**
   * Reads the next bytes. One call at a time, and not when it is read as a stream.
   *
   * @param least how many are enough; all that there is room for if not given
   * @param seen takes them piece by piece as they come. While it works, whoever fills the pipe does, too: it holds little
   * @returns how many there were; fewer than `least` only at the end
   * @throws what the pipe throws, and what it was destroyed with
   */
  async readInto(
    into: Uint8Array,
    least = into.length,
    seen: (bytes: Uint8Array) => void = () => {},
  ): Promise<number> {
    const filled = this.#takeLeft(into)
    if (filled > 0) seen(into.subarray(0, filled))
    if (filled >= least) return filled
    if (this.#end !== undefined) {
      if ('error' in this.#end) throw this.#end.error
      return filled
    }
    return await new Promise((resolve, reject) => {
      this.#request = { into, filled, least, seen, resolve, reject }
      this.#socket.resume()
    })
  }

  override _read(): void {
    const chunk = Buffer.allocUnsafe(PIPE_BYTES)
    this.readInto(chunk, 1).then(
      count => this.push(count === 0 ? null : chunk.subarray(0, count)),
      error => this.destroy(error),
    )
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#finish({ error: error ?? new InterruptedError() })
    this.#socket.destroy()
    done(error)
  }

  /** @returns whether more is wanted at once */
  #take(count: number, bytes: Uint8Array): boolean {
    const request = this.#request
    const isOurs = bytes.buffer === this.#memory.buffer
    if (isOurs) this.#left = this.#memory.subarray(0, count)
    if (request === undefined) return false
    const start = request.filled
    request.filled += isOurs ? this.#takeLeft(request.into.subarray(start)) : count
    request.seen(request.into.subarray(start, request.filled))
    if (request.filled < request.least) return true
    this.#request = undefined
    request.resolve(request.filled)
    return false
  }

  #takeLeft(into: Uint8Array): number {
    const taken = this.#left.subarray(0, into.length)
    into.set(taken)
    this.#left = this.#left.subarray(taken.length)
    return taken.length
  }

  #finish(end: { error?: unknown }): void {
    this.#end ??= end
    const request = this.#request
    this.#request = undefined
    if ('error' in this.#end) request?.reject(this.#end.error)
    else request?.resolve(request.filled)
  }
}
