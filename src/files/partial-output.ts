import type { LargeFile } from './large-file.js'
import type { LargeFileRun } from './large-file-run.js'

/** What is told of the bytes of a file while it is being written. */
export interface Told {
  /** Is told how many are there. */
  grown?(bytes: number): void
  /** Is given those that follow on an offset, before they are in the file. They stay as they are until it resolves. */
  coming?(offset: number, bytes: Buffer): Promise<void> | undefined
}

/**
 * Writes the bytes of a file that may never be complete, one after another. From where somebody takes them as they come,
 * nobody is waiting for the file, and it is written past the system's cache.
 */
export class PartialOutput {
  readonly #file: LargeFile
  readonly #size: number
  readonly #told: Told
  #offset: number
  #run: LargeFileRun | undefined

  /** @param offset where it begins to write. @param size of the complete file */
  constructor(file: LargeFile, offset: number, size: number, told: Told) {
    this.#file = file
    this.#size = size
    this.#offset = offset
    this.#told = told
  }

  /** Writes the next bytes. Meanwhile something else is done. */
  async write(chunk: Buffer, meanwhile: () => void): Promise<void> {
    const reading = this.#told.coming?.(this.#offset, chunk)
    const writing = this.#run?.write(chunk) ?? this.#file.write(chunk, this.#offset)
    writing.catch(() => {})
    try {
      meanwhile()
    } finally {
      // Nothing writes to the file any more when it is closed.
      await writing
    }
    await reading
    this.#offset += chunk.length
    if (reading !== undefined) this.#run ??= this.#file.run(this.#offset, this.#size - this.#offset)
    if (this.#run === undefined) this.#told.grown?.(this.#offset)
  }

  /** Waits until everything is written. */
  async end(): Promise<void> {
    await this.#run?.end()
    this.#told.grown?.(this.#offset)
  }

  /** Writes what was still waiting for more, if there was no end: the next run goes on from there. */
  async close(): Promise<void> {
    await this.#run?.close()
    await this.#file.settle()
  }
}
