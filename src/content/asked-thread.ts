import { Worker } from 'node:worker_threads'

interface Waiting<Answer> {
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/** A thread of the process that answers what it is asked, in turn. While nobody waits for an answer, it does not keep the process. */
export class AskedThread<Question, Answer> {
  readonly #worker: Worker
  readonly #waiting: Waiting<Answer>[] = []
  readonly #explain: (cause: unknown) => Error
  #failure: Error | undefined

  /**
   * @param program posts one message for each question. A text, since a file of its own would have to be found again in whatever
   * form the program is packed
   * @param explain makes the error of a thread that ended before it was to; `cause` is undefined when it did so by itself
   */
  constructor(program: string, explain: (cause: unknown) => Error, workerData?: unknown) {
    this.#worker = new Worker(program, { eval: true, execArgv: [], workerData })
    this.#explain = explain
    this.#worker.on('message', (answer: Answer) => {
      this.#waiting.shift()?.resolve(answer)
      if (this.#waiting.length === 0) this.#worker.unref()
    })
    this.#worker.on('error', cause => this.#fail(cause))
    this.#worker.on('exit', () => this.#fail(undefined))
    this.#worker.unref()
  }

  /** How many answers are waited for. */
  get load(): number {
    return this.#waiting.length
  }

  /** @throws what the thread's end was explained with */
  async ask(question: Question): Promise<Answer> {
    if (this.#failure !== undefined) throw this.#failure
    const answer = new Promise<Answer>((resolve, reject) => this.#waiting.push({ resolve, reject }))
    this.#worker.ref()
    this.#worker.postMessage(question)
    return await answer
  }

  /** Ends it at once. Whoever waits is told so. */
  end(): void {
    this.#worker.terminate()
  }

  #fail(cause: unknown): void {
    this.#failure ??= this.#explain(cause)
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
  }
}
