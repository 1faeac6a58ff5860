/** What the parts of all downloads may have in memory together. */
const LIMIT_BYTES = 40 * 1024 * 1024

/** What all downloads of a process share: its memory, and the line that they come by. */
export class DownloadLine {
  static readonly ofProcess = new DownloadLine(LIMIT_BYTES)
  readonly #limitBytes: number
  #heldBytes = 0
  /** What came of blobs so far. */
  receivedBytes = 0

  /** @param limitBytes what may wait in memory */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Whether so much more may be held. */
  hasRoom(bytes: number): boolean {
    return this.#heldBytes + bytes <= this.#limitBytes
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes
  }
}
