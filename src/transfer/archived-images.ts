import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { Context, Source } from '../content/store.js'
import { isMismatch } from '../content/verify.js'
import { ConvertedSource } from '../convert/converted-source.js'
import { type CopyOptions, type CopyResult, copy } from '../copy/copy.js'
import type { LayoutArchiveSink, Scratch } from '../layout/layout-archive-sink.js'
import type { ImageName } from '../open/archive-names.js'
import { EarlyWrite, readEnds, sizeOfLayers } from './early-write.js'

/** Less than this is soon downloaded, and then written. */
const EARLY_FROM_BYTES = 16 * 1024 * 1024

/** What is written of images. */
export interface ArchivedImagesOptions {
  /** Whether layers are made plain. The configs, and with them the image IDs, stay. */
  uncompressed: boolean
  /** Whether one image is all that comes: its place in the archive is known before its layers come. */
  isAlone: boolean
  /** How large it has to be for that to be made use of, in bytes. Default: 16 MiB. */
  earlyFromBytes?: number
}

/** What is to be written, under which names. */
interface ArchivedImage {
  root: Digest
  names: ImageName
  /** Has it also while it is being downloaded. */
  arriving: Source
}

/** How images are written. */
interface WriteOptions {
  /** Layers are uncompressed when they are read, see {@link ConvertedSource}. */
  late: boolean
  /** Is waited for before the archive appears. Absent when it is over. */
  downloaded?: Promise<void>
}

/** The manifests that were written, by those that were downloaded. */
type Written = ReadonlyMap<Digest, Descriptor>

/**
 * Images that are downloaded first, as they are, so that they move as in every other copy, and from there go into their
 * places in an archive. Where layers are made plain, that is done on the way, once however many images share one.
 *
 * An image that is alone is written while it is still being downloaded. That may fail where the registry, its trailers or the
 * line are not as they mostly are; then it is written afterwards.
 */
export class ArchivedImages {
  readonly #archive: LayoutArchiveSink
  readonly #downloaded: Scratch
  readonly #options: ArchivedImagesOptions
  readonly #images: ArchivedImage[] = []
  #early: EarlyWrite<Written> | undefined

  private constructor(archive: LayoutArchiveSink, downloaded: Scratch, options: ArchivedImagesOptions) {
    this.#archive = archive
    this.#downloaded = downloaded
    this.#options = options
  }

  /** @param archive gets the images at commit; the caller disposes it */
  static async into(archive: LayoutArchiveSink, options: ArchivedImagesOptions): Promise<ArchivedImages> {
    return new ArchivedImages(archive, await archive.scratch({ hashThread: !options.uncompressed }), options)
  }

  /** Downloads an image as `copy` does. */
  async download(
    source: Source,
    root: Digest,
    names: ImageName,
    context: Context,
    options: CopyOptions,
  ): Promise<CopyResult> {
    const { isAlone, uncompressed, earlyFromBytes = EARLY_FROM_BYTES } = this.#options
    const image = { root, names, arriving: this.#downloaded.arriving(source) }
    const isEarly = isAlone && this.#archive.isFile
    if (isEarly && (await sizeOfLayers(source, root, context)) >= earlyFromBytes) {
      this.#early = new EarlyWrite(async (context, downloaded) => {
        if (uncompressed && !(await readEnds(image.arriving, root, context))) return undefined
        return await this.#write([image], { late: true, downloaded }, context)
      }, context)
      this.#downloaded.awaitReader(this.#early.result())
    }
    // The tags are there to be told: with plain layers they are those of another manifest.
    const target = { sink: this.#downloaded.store, tags: uncompressed ? [] : names.tags }
    const result = await copy(source, root, [target], context, options)
    const isThere = result.root !== undefined && result.targets.every(({ error }) => error === undefined)
    if (isThere) this.#images.push(image)
    await this.#early?.downloaded(isThere)
    return result
  }

  /**
   * Writes the archive, of everything that was downloaded.
   *
   * Layers are uncompressed straight into their places in the archive, which their gzip trailers tell; where one of these is
   * wrong, they are uncompressed to files first.
   *
   * @returns the manifests that were made, by those that were downloaded
   * @throws ContentError `digest-mismatch` when a layer does not hold what its diffID says; CompressionError; what the
   * archive's commit throws
   */
  async commit(context: Context): Promise<Written> {
    if (this.#early !== undefined) {
      const written = await this.#early.result()
      if (written !== undefined) return written
      await this.#archive.startAgain()
    }
    try {
      return await this.#write(this.#images, { late: true }, context)
    } catch (error) {
      if (!isMismatch(error)) throw error
      await this.#archive.startAgain()
    }
    return await this.#write(this.#images, { late: false }, context)
  }

  async #write(
    images: readonly ArchivedImage[],
    { late, downloaded }: WriteOptions,
    context: Context,
  ): Promise<Written> {
    const { store, folder } = this.#downloaded
    const base = downloaded === undefined ? store : (images[0]?.arriving ?? store)
    const conversion = { compression: { algorithm: 'none' as const }, late }
    await using plain = this.#options.uncompressed ? new ConvertedSource(base, conversion, folder) : undefined
    // What happens here is no download, and nobody watches a download of it.
    const silent = createContext({ signal: context.signal })
    const written = new Map<Digest, Descriptor>()
    for (const { root, names, arriving } of images) {
      const target = { sink: await this.#archive.lateImagesOf(names.repository), tags: names.tags }
      const result = await copy(plain ?? arriving, root, [target], silent, { tellLayers: false })
      const error = result.targets[0]?.error
      if (error !== undefined) throw error
      if (result.root !== undefined) written.set(root, result.root)
    }
    await this.#archive.commit(context, downloaded)
    return written
  }
}
