/** How fast an offset moves, smoothed, so that a time left made of it does not jump about. */
export class Rate {
  #offset: number
  #timeMs: number
  /** Bytes per second; undefined until some time has passed. */
  value: number | undefined

  constructor(offset: number, timeMs: number) {
    this.#offset = offset
    this.#timeMs = timeMs
  }

  /** Takes note of where the offset is at a time. One that went back starts anew. */
  sample(offset: number, timeMs: number): void {
    const elapsed = timeMs - this.#timeMs
    if (offset < this.#offset) this.value = undefined
    else if (elapsed < SAMPLE_MS) return
    else {
      const now = ((offset - this.#offset) * 1000) / elapsed
      const weight = 1 - Math.exp(-elapsed / MEMORY_MS)
      this.value = this.value === undefined ? now : this.value + (now - this.value) * weight
    }
    this.#offset = offset
    this.#timeMs = timeMs
  }
}

const SAMPLE_MS = 250
/** How long the past counts. */
const MEMORY_MS = 3000
