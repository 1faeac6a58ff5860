import type { FileHandle } from 'node:fs/promises'

/** What waits at most while the disk is busy. */
const GATHERED_BYTES = 1024 * 1024
/** The most pieces that one call may be given: what POSIX promises of IOV_MAX is less than Linux has. */
const MAXIMUM_PIECES = 1024

/**
 * Writes pieces to a file one after another. What comes while the disk is busy is gathered, and written by one call: small
 * pieces from a fast socket become large ones, and those from a slow one don't wait.
 */
export class FileWriter {
  readonly #file: FileHandle
  #position: number
  #gathered: Buffer[] = []
  #gatheredBytes = 0
  #writing: Promise<void> | undefined
  #error: unknown

  /** @param file stays the caller's @param position where the first piece goes, in bytes */
  constructor(file: FileHandle, position: number) {
    this.#file = file
    this.#position = position
  }

  /**
   * Takes a piece, which belongs to the writer until {@link end}.
   *
   * @returns undefined when there is room for more; else what to wait for, which rejects when writing failed
   */
  add(piece: Buffer): Promise<void> | undefined {
    this.#gathered.push(piece)
    this.#gatheredBytes += piece.length
    if (this.#error === undefined) this.#writing ??= this.#write()
    const isFull = this.#gatheredBytes >= GATHERED_BYTES || this.#gathered.length >= MAXIMUM_PIECES
    return isFull || this.#error !== undefined ? this.end() : undefined
  }

  /** Waits until everything is written. @throws the error of the file */
  async end(): Promise<void> {
    await this.#writing
    if (this.#error !== undefined) throw this.#error
  }

  /** Never rejects: nobody may be waiting. */
  async #write(): Promise<void> {
    try {
      while (this.#gathered.length > 0) {
        const pieces = this.#gathered
        this.#gathered = []
        this.#gatheredBytes = 0
        await this.#writeAll(pieces)
      }
    } catch (error) {
      this.#error = error
    }
    this.#writing = undefined
  }

  async #writeAll(pieces: readonly Buffer[]): Promise<void> {
    let left = pieces
    while (left.length > 0) {
      const { bytesWritten } = await this.#file.writev(left, this.#position)
      this.#position += bytesWritten
      left = withoutStart(left, bytesWritten)
    }
  }
}

/** A call may write less than it is given. */
function withoutStart(pieces: readonly Buffer[], count: number): Buffer[] {
  let passed = 0
  const left: Buffer[] = []
  for (const piece of pieces) {
    const start = Math.min(Math.max(count - passed, 0), piece.length)
    passed += piece.length
    if (start < piece.length) left.push(piece.subarray(start))
  }
  return left
}
