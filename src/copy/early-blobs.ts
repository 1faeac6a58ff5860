import type { Descriptor } from '../content/descriptor.js'
import type { Context, Source } from '../content/store.js'

/**
 * The early blobs of a source, read once and given to every target: to one that comes later, those that are known
 * already and then the rest.
 */
export class EarlyBlobs {
  readonly #known: Descriptor[] = []
  readonly #source: Source
  readonly #context: Context
  #ended = false
  #news = new Signal()

  constructor(source: Source, context: Context) {
    this.#source = source
    this.#context = context
  }

  /** Begins to read. What fails here comes out of the source's `getManifest` too, where every target sees it. */
  start(): void {
    this.#read()
      .catch(() => {})
      .finally(() => {
        this.#ended = true
        this.#tell()
      })
  }

  async #read(): Promise<void> {
    for await (const blob of this.#source.earlyBlobs?.(this.#context) ?? []) {
      this.#known.push(blob)
      this.#tell()
    }
  }

  #tell(): void {
    const news = this.#news
    this.#news = new Signal()
    news.give()
  }

  /**
   * Calls `take` for each blob as soon as it is known, without waiting for what it does, and returns after the last.
   *
   * @throws what the first `take` that fails throws, at once
   */
  async offerTo(take: (blob: Descriptor) => Promise<void>): Promise<void> {
    const failure = new Signal()
    let failed: { error: unknown } | undefined
    for (let next = 0; ; next++) {
      while (next >= this.#known.length && failed === undefined) {
        if (this.#ended) return
        await Promise.race([this.#news.given, failure.given])
      }
      if (failed !== undefined) throw (failed as { error: unknown }).error
      const blob = this.#known[next]
      if (blob === undefined) continue
      take(blob).catch(error => {
        failed ??= { error }
        failure.give()
      })
    }
  }
}

/** Something that is given once, and waited for by several. */
class Signal {
  give: () => void = () => {}
  readonly given = new Promise<void>(resolve => {
    this.give = resolve
  })
}
