/** Undoes several things in reverse order. Node 20 has no AsyncDisposableStack yet. */
export class Cleanup implements AsyncDisposable {
  readonly #tasks: (() => Promise<void>)[] = []

  /** Takes over something to dispose of, and hands it back. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.defer(async () => resource[Symbol.asyncDispose]())
    return resource
  }

  defer(task: () => Promise<void>): void {
    this.#tasks.push(task)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) await task()
  }
}
