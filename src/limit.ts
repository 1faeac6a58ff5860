/**
 * Lets several pieces of work run at once up to a total weight.
 *
 * Many small pieces travel together and few large ones: each piece has a weight (bytes, say) and
 * waits until the weights of all running pieces leave room for it. A piece heavier than the whole capacity runs
 * alone. Pieces start in the order in which they asked.
 *
 * @example
 * const limit = new WeightedLimit({ count: 4, weight: 64 * 1024 * 1024 })
 * await limit.run(layer.size, () => upload(layer))
 */
export class WeightedLimit {
  readonly #maximumCount: number
  readonly #capacity: number
  #running = 0
  #weight = 0
  readonly #waiting: { weight: number; start: () => void }[] = []

  /** `count` pieces at most run at once, and `weight` is the most that their weights add up to. */
  constructor(limits: { count: number; weight?: number }) {
    this.#maximumCount = limits.count
    this.#capacity = limits.weight ?? Number.POSITIVE_INFINITY
  }

  /** Whether `run` would begin such a piece at once. */
  hasRoom(weight: number): boolean {
    return this.#waiting.length === 0 && this.#fits(weight)
  }

  /** Runs `work` as soon as there is room, and passes on its result or its error. */
  async run<T>(weight: number, work: () => Promise<T>): Promise<T> {
    if (this.hasRoom(weight)) this.#enter(weight)
    else await new Promise<void>(resolve => this.#waiting.push({ weight, start: resolve }))
    try {
      return await work()
    } finally {
      this.#running--
      this.#weight -= weight
      this.#startWaiting()
    }
  }

  #fits(weight: number): boolean {
    const hasRoom = this.#running === 0 || this.#weight + weight <= this.#capacity
    return hasRoom && this.#running < this.#maximumCount
  }

  #enter(weight: number): void {
    this.#running++
    this.#weight += weight
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#fits(next.weight)) return
      this.#waiting.shift()
      this.#enter(next.weight)
      next.start()
    }
  }
}
