import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { Context, Source } from '../content/store.js'
import { isMismatch } from '../content/verify.js'
import { ConvertedSource } from '../convert/converted-source.js'
import { type CopyOptions, type CopyResult, copy } from '../copy/copy.js'
import type { LayoutArchiveSink, Scratch } from '../layout/layout-archive-sink.js'
import type { ImageName } from '../open/archive-names.js'

/**
 * Images whose layers are made plain on their way into an archive. They are downloaded first, as they are, so that they
 * move as in every other copy; then each layer is uncompressed, once however many images share it. The configs, and with
 * them the image IDs, stay.
 */
export class PlainImages {
  readonly #archive: LayoutArchiveSink
  readonly #downloaded: Scratch
  readonly #images: { root: Digest; names: ImageName }[] = []

  private constructor(archive: LayoutArchiveSink, downloaded: Scratch) {
    this.#archive = archive
    this.#downloaded = downloaded
  }

  /** @param archive gets the images at commit; the caller disposes it */
  static async into(archive: LayoutArchiveSink): Promise<PlainImages> {
    return new PlainImages(archive, await archive.scratch())
  }

  /** Downloads an image as `copy` does. */
  async download(
    source: Source,
    root: string,
    names: ImageName,
    context: Context,
    options: CopyOptions,
  ): Promise<CopyResult> {
    const result = await copy(source, root, [{ sink: this.#downloaded.store, tags: [] }], context, options)
    const isThere = result.targets.every(({ error }) => error === undefined)
    if (result.root !== undefined && isThere) this.#images.push({ root: result.root.digest, names })
    return result
  }

  /**
   * Writes the archive, of everything that was downloaded.
   *
   * Layers are uncompressed straight into their places in the archive's file, which their gzip trailers tell; where one of
   * these is wrong, and in a stream, they are uncompressed to files first.
   *
   * @returns the manifests that were made, by those that were downloaded
   * @throws ContentError `digest-mismatch` when a layer does not hold what its diffID says; CompressionError; what the
   * archive's commit throws
   */
  async commit(context: Context): Promise<ReadonlyMap<Digest, Descriptor>> {
    if (this.#archive.canStartAgain) {
      try {
        return await this.#write(true, context)
      } catch (error) {
        if (!isMismatch(error)) throw error
        await this.#archive.startAgain()
      }
    }
    return await this.#write(false, context)
  }

  async #write(late: boolean, context: Context): Promise<ReadonlyMap<Digest, Descriptor>> {
    const { store, folder } = this.#downloaded
    await using plain = new ConvertedSource(store, { compression: { algorithm: 'none' }, late }, folder)
    // What happens here is no download, and nobody watches a download of it.
    const silent = createContext({ signal: context.signal })
    const written = new Map<Digest, Descriptor>()
    for (const { root, names } of this.#images) {
      const target = { sink: await this.#archive.lateImagesOf(names.repository), tags: names.tags }
      const { root: made, targets } = await copy(plain, root, [target], silent)
      const error = targets[0]?.error
      if (error !== undefined) throw error
      if (made !== undefined) written.set(root, made)
    }
    await this.#archive.commit(context)
    return written
  }
}
