/** Ctrl-C, `kill`, and a terminal that was closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const FORCED_EXIT_MS = 2000

/**
 * Turns Ctrl-C, SIGTERM and SIGHUP into an aborted signal: the first one cancels, the second one kills. It
 * stays so until the process ends.
 */
export class Interruption {
  readonly #controller = new AbortController()
  readonly #handle = (): void => {
    if (this.#controller.signal.aborted) process.exit(130)
    this.#controller.abort()
    // A request that does not end when it is told must not keep the terminal.
    setTimeout(() => process.exit(130), FORCED_EXIT_MS).unref()
  }

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#handle)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }
}
