import type { FileHandle } from 'node:fs/promises'

/** After how many written bytes the disk is set to work. */
const BYTES_APART = 64 * 1024 * 1024

/** Lets the disk work while a large file is still being written, so that little is left to wait for at its end. */
export class EarlySync {
  readonly #file: FileHandle
  #waiting = 0
  #working: Promise<void> | undefined
  #failure: { error: unknown } | undefined

  /** @param file stays open until {@link end} has come to its end */
  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Takes note that so many bytes more were written. */
  wrote(bytes: number): void {
    this.#waiting += bytes
    if (this.#waiting < BYTES_APART || this.#working !== undefined) return
    this.#waiting = 0
    this.#working = this.#sync()
  }

  /** A system tells of a write that failed once: that is kept for the end. */
  async #sync(): Promise<void> {
    try {
      await this.#file.datasync()
    } catch (error) {
      this.#failure ??= { error }
    }
    this.#working = undefined
  }

  /** Waits until nothing is under way, without a look at how it went: the file can be closed. */
  async settle(): Promise<void> {
    await this.#working
  }

  /** Waits until everything that was written is on the disk. @throws what the disk throws, also earlier */
  async end(): Promise<void> {
    await this.settle()
    if (this.#failure !== undefined) throw this.#failure.error
    await this.#file.sync()
  }
}
