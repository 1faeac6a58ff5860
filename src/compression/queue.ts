/** What one loop puts and another takes, in the same order. Whoever puts sees to it that it doesn't get too long. */
export class Queue<Item> implements AsyncIterable<Item> {
  readonly #items: Item[] = []
  #end: { error?: unknown } | undefined
  #wake: () => void = () => {}

  put(item: Item): void {
    this.#items.push(item)
    this.#wake()
  }

  /** Nothing more comes after what is there. */
  end(): void {
    this.#finish({})
  }

  /** The taker gets an error after what is there. */
  fail(error: unknown): void {
    this.#finish({ error })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    for (;;) {
      const item = this.#items.shift()
      if (item !== undefined) {
        yield item
        continue
      }
      if (this.#end !== undefined) {
        if ('error' in this.#end) throw this.#end.error
        return
      }
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  #finish(end: { error?: unknown }): void {
    this.#end ??= end
    this.#wake()
  }
}
