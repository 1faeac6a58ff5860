import { type FileHandle, open } from 'node:fs/promises'
import type { Digest } from '../content/digest.js'
import { type Expected, sizeMismatch } from '../content/verify.js'
import { systemCodeOf } from '../errors.js'

/** How much of a file is read at once. */
const READ_BYTES = 256 * 1024

/** The file that a content is written to, from its first byte to its last. */
interface Arrival {
  path: string
  /** How many bytes are there. */
  bytes: number
  /** How often it was begun. */
  attempt: number
}

/** Lets files be read while they are being written, by the digests of what they are to hold. */
export class Arrivals {
  readonly #arrivals = new Map<Digest, Arrival>()
  readonly #waiting = new Set<() => void>()

  /** A file is there, and empty; also when it is begun anew. */
  begin(digest: Digest, path: string): void {
    const attempt = (this.#arrivals.get(digest)?.attempt ?? 0) + 1
    this.#arrivals.set(digest, { path, bytes: 0, attempt })
  }

  /** So many bytes are there in all. */
  grow(digest: Digest, bytes: number): void {
    const arrival = this.#arrivals.get(digest)
    if (arrival !== undefined) arrival.bytes = bytes
    this.#wake()
  }

  /** The file is complete, and has got another name. */
  place(digest: Digest, path: string): void {
    const arrival = this.#arrivals.get(digest)
    if (arrival !== undefined) arrival.path = path
    this.#wake()
  }

  /**
   * Reads a content as it comes, from its start; not verified. Each chunk is valid until the next one is asked for.
   *
   * @param what for messages: `blob sha256:… of host/repository`
   * @throws ContentError `size-mismatch` when the file was begun anew meanwhile; why `signal` was aborted
   */
  async *read(
    expected: Expected,
    what: string,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void, undefined> {
    const { digest, size } = expected
    const memory = Buffer.allocUnsafeSlow(Math.min(size, READ_BYTES))
    let opened: { file: FileHandle; attempt: number } | undefined
    try {
      for (let position = 0; position < size; ) {
        const arrival = this.#arrivals.get(digest)
        if (opened !== undefined && arrival?.attempt !== opened.attempt)
          throw sizeMismatch(what, size, `${position}`)
        if (arrival === undefined || arrival.bytes <= position) {
          await this.#change(signal)
          continue
        }
        const { path } = arrival
        opened ??= await tryOpen(arrival)
        if (opened === undefined) {
          // It has got another name a moment ago, and that will be told if it was not meanwhile.
          if (arrival.path === path) await this.#change(signal)
        } else {
          const most = Math.min(memory.length, arrival.bytes - position)
          const { bytesRead } = await opened.file.read(memory, 0, most, position)
          if (bytesRead === 0) throw sizeMismatch(what, size, `${position}`)
          position += bytesRead
          yield memory.subarray(0, bytesRead)
        }
      }
    } finally {
      await opened?.file.close()
    }
  }

  async #change(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    let wake = () => {}
    try {
      await new Promise<void>(resolve => {
        wake = resolve
        this.#waiting.add(resolve)
        signal.addEventListener('abort', wake)
      })
    } finally {
      signal.removeEventListener('abort', wake)
    }
    signal.throwIfAborted()
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}

async function tryOpen({
  path,
  attempt,
}: Arrival): Promise<{ file: FileHandle; attempt: number } | undefined> {
  try {
    return { file: await open(path), attempt }
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
