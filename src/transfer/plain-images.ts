import { createContext } from '../content/context.js'
import type { Context, Source } from '../content/store.js'
import { ConvertedSource } from '../convert/converted-source.js'
import { type CopyOptions, type CopyResult, type CopyTarget, copy } from '../copy/copy.js'
import type { Scratch } from '../layout/layout-archive-sink.js'
import type { LayoutStore } from '../layout/layout-store.js'

/**
 * Makes the layers of images plain on their way to a target. What is downloaded is gathered first, as it is, so that
 * it moves as in every other copy; then each layer is uncompressed, once however many images share it. The configs, and with them the
 * image IDs, stay.
 */
export class PlainImages implements AsyncDisposable {
  readonly #gathered: LayoutStore
  readonly #plain: ConvertedSource

  /** @param scratch where everything is gathered and uncompressed; the caller removes it */
  constructor({ folder, store }: Scratch) {
    this.#gathered = store
    this.#plain = new ConvertedSource(store, { compression: { algorithm: 'none' } }, folder)
  }

  /**
   * Copies an image as `copy` does, with plain layers; the numbers are those of what was downloaded.
   *
   * @returns as `copy`; `root` is the manifest that was made
   */
  async copy(
    source: Source,
    root: string,
    target: CopyTarget,
    context: Context,
    options: CopyOptions,
  ): Promise<CopyResult> {
    const download = await copy(source, root, [{ sink: this.#gathered, tags: [] }], context, options)
    if (download.root === undefined || download.targets.some(({ error }) => error !== undefined))
      return download
    // What happens here is no download, and nobody watches a download of it.
    const silent = createContext({ signal: context.signal })
    const made = await copy(this.#plain, download.root.digest, [target], silent, options)
    const error = made.targets[0]?.error
    return { ...made, targets: download.targets.map(result => ({ ...result, error })) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#plain[Symbol.asyncDispose]()
  }
}
