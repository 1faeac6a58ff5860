/** What the parts of all downloads may have in memory together. */
const LIMIT_BYTES = 40 * 1024 * 1024

/** Counts what waits in memory. */
export class PartMemory {
  /** Of this process: its memory is one, however many downloads there are. */
  static readonly ofProcess = new PartMemory(LIMIT_BYTES)
  readonly #limitBytes: number
  #usedBytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Whether so much can be taken without going over the limit. */
  hasRoom(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.#limitBytes
  }

  take(bytes: number): void {
    this.#usedBytes += bytes
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes
  }
}
