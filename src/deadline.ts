/**
 * A signal that is aborted when the time is up, or one of other signals is. Disposing ends it: nothing is aborted any more.
 *
 * Not by `AbortSignal.any` with `AbortSignal.timeout`: that holds what it listens to weakly, so that a time limit which
 * nobody else has hold of is collected as garbage and never comes. Nor does its timer keep the process alive, which then
 * ends in the middle of the wait as if all were well.
 *
 * @example
 * using deadline = new Deadline(10_000, context.signal)
 * await once(socket, 'secureConnect', { signal: deadline.signal })
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #others: readonly AbortSignal[]

  /** @param limitMs from now on */
  constructor(limitMs: number, ...others: readonly AbortSignal[]) {
    this.#timer = setTimeout(() => {
      this.#controller.abort(new DOMException('the time is up', 'TimeoutError'))
    }, limitMs)
    this.#others = others
    for (const other of others) {
      if (other.aborted) this.#controller.abort(other.reason)
      other.addEventListener('abort', this.#pass)
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  readonly #pass = ({ target }: Event) => {
    this.#controller.abort((target as AbortSignal).reason)
  };

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    for (const other of this.#others) other.removeEventListener('abort', this.#pass)
  }
}
