import { createContext } from '../content/context.js'
import type { Digest } from '../content/digest.js'
import { announcedCompression } from '../content/layer-types.js'
import { parseManifest } from '../content/manifest.js'
import { isIndexType } from '../content/media-types.js'
import type { Context, Source } from '../content/store.js'

/** Each layer that is made plain costs a request more, for its end. */
const MOST_ENDS = 64
/** The size in a gzip trailer (RFC 1952, 2.3.1, ISIZE). */
const SIZE_BYTES = 4

/** The bytes of an image's layers; none of an index, which may name more than is there. */
export async function sizeOfLayers(source: Source, root: Digest, context: Context): Promise<number> {
  const layers = await layersOf(source, root, context)
  return layers.reduce((sum, { size }) => sum + size, 0)
}

/**
 * Reads the ends of all gzip layers, before they are downloaded, so that their sizes are known.
 *
 * @param source remembers them
 * @returns whether all of them are known now
 */
export async function readEnds(source: Source, root: Digest, context: Context): Promise<boolean> {
  const layers = await layersOf(source, root, context)
  const [first, ...others] = layers.filter(({ mediaType }) => announcedCompression(mediaType) === 'gzip')
  if (first === undefined) return true
  if (layers.length > MOST_ENDS) return false
  const read = async (layer: typeof first) =>
    (await source.readBlobEnd?.(layer, SIZE_BYTES, context)) !== undefined
  // A registry that sends all of a blob is not asked again.
  if (!(await read(first))) return false
  return (await Promise.all(others.map(read))).every(isRead => isRead)
}

async function layersOf(source: Source, root: Digest, context: Context) {
  const { descriptor, bytes } = await source.getManifest(root, context)
  if (isIndexType(descriptor.mediaType)) return []
  const manifest = parseManifest(bytes, descriptor.mediaType, `manifest ${root}`)
  return manifest.kind === 'index' ? [] : manifest.layers
}

/** Work that goes along with a download, and counts only if both end well. */
export class EarlyWrite<Result> {
  readonly #stop = new AbortController()
  readonly #result: Promise<Result | undefined>
  #tell: { resolve(): void; reject(reason: unknown): void } | undefined

  /**
   * @param write is given a promise that is settled with the download; gives undefined, or fails, when it can't be done
   * meanwhile
   */
  constructor(
    write: (context: Context, downloaded: Promise<void>) => Promise<Result | undefined>,
    { signal }: Context,
  ) {
    const downloaded = new Promise<void>((resolve, reject) => {
      this.#tell = { resolve, reject }
    })
    downloaded.catch(() => {})
    const context = createContext({ signal: AbortSignal.any([signal, this.#stop.signal]) })
    this.#result = write(context, downloaded).catch(() => undefined)
  }

  /** Tells how the download ended. Waits until nothing is written any more when it failed. */
  async downloaded(isThere: boolean): Promise<void> {
    if (isThere) {
      this.#tell?.resolve()
      return
    }
    this.#stop.abort()
    this.#tell?.reject(new Error('the download failed'))
    await this.#result
  }

  /** What came of it; undefined when it is to be done otherwise. Comes after {@link downloaded}. */
  async result(): Promise<Result | undefined> {
    return await this.#result
  }
}
