import { monotonicMs } from '../monotonic-clock.js'

/** One of so many writes is taken for what the disk can do: the others may have waited for the processor, or for each other. */
const SAMPLE = 64
/** A disk that takes less would be waited for: what is made plain comes as fast. Those that turn, and many in a network, take less. */
const LEAST_BYTES_PER_MS = 600_000

/** How fast a disk takes what is written to it, by one file or several at once. */
export class DiskRate {
  readonly #now: () => number
  #underWay = 0
  #seen = 0
  #fastest = 0
  /** Whether it is so slow that bytes are better kept in memory first. It stays so. */
  isSlow = false

  /** @param now tells milliseconds */
  constructor(now: () => number = monotonicMs) {
    this.#now = now
  }

  /** Takes note of a write. @returns what it gave */
  async measure<T>(bytes: number, write: () => Promise<T>): Promise<T> {
    const began = this.#now()
    // Those that are under way have it together.
    const shared = ++this.#underWay
    let written: T
    try {
      written = await write()
    } finally {
      this.#underWay--
    }
    this.#fastest = Math.max(this.#fastest, (bytes * shared) / (this.#now() - began))
    if (++this.#seen < SAMPLE) return written
    this.isSlow ||= this.#fastest < LEAST_BYTES_PER_MS
    this.#seen = 0
    this.#fastest = 0
    return written
  }
}
