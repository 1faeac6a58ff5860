/** Runs work for one key after the other, and work for different keys at the same time. */
export class Serial<Key> {
  readonly #last = new Map<Key, Promise<void>>()

  /** Starts `work` when all earlier work for the key has ended, well or badly. */
  async run<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const done = (this.#last.get(key) ?? Promise.resolve()).then(work)
    const ended = done.then(
      () => {},
      () => {},
    )
    this.#last.set(key, ended)
    try {
      return await done
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key)
    }
  }
}
