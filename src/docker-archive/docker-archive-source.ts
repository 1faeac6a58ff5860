import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { LayerCompression } from '../compression/layer-compression.js'
import { Spool } from '../compression/spool.js'
import { blobChunksOf, type Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import { type Digest, digestOf, isDigest } from '../content/digest.js'
import { CONFIG_LIMIT_BYTES } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import type { Context, ImageContents, RawManifest, Source } from '../content/store.js'
import { digestMismatch } from '../content/verify.js'
import { WeightedLimit } from '../limit.js'
import type { FileSet } from '../tar/file-set.js'
import { type ArchivePart, checkLayers } from './check-layers.js'
import { brokenArchive, DockerArchiveError } from './docker-archive-error.js'
import { LayerCache } from './layer-cache.js'
import { inOrderOfReadiness, inOrderOfWork } from './layer-order.js'
import { type PreparedLayer, prepareLayer } from './layers.js'
import { makeManifest } from './make-manifest.js'
import { type ImageConfig, type ManifestJsonImage, parseImageConfig, readSmall } from './manifest-json.js'
import { type ArchiveLayer, pairLayers } from './pair-layers.js'

/** How the images of a docker-archive are presented. */
export interface DockerArchiveOptions {
  /**
   * The kind of manifest. Default: Docker's schema 2, as `docker push` makes; the OCI one for an image with zstd
   * layers, which Docker's types can't express (rule R194).
   */
  format?: 'docker' | 'oci'
  /** Default: `auto`. */
  compression?: LayerCompression
  /**
   * Take a config whose bytes are not those that its name says: somebody edited it. Default: refuse it.
   */
  trustConfig?: boolean
  /**
   * The user's folder for caches (see `cacheFolder`), in which the digests of compressed layers are remembered: one that has
   * not changed, and is where it goes already, is not even read again. Default: nothing is remembered.
   */
  cacheFolder?: string | undefined
  /** Where compressed layers are kept until the end. Default: the system's temporary folder. */
  spoolFolder?: string
}

/** The root under which a {@link DockerArchiveSource} gives its only manifest. */
export const ARCHIVE_ROOT = 'image'

/** How many layers are made ready at once: one is compressed on all cores, and the next one where that leaves them idle. */
const LAYERS_AT_ONCE = 2

/** The layers on their way. */
interface StartedLayers {
  order: readonly ArchiveLayer[]
  prepared: ReadonlyMap<Digest, Promise<PreparedLayer>>
  /** Settles with the first layer whose content has to be read, or with false: all were known. */
  isReading: Promise<boolean>
}

/**
 * One image of a docker-archive, as the manifest that a registry would get. Its layers are compressed once, when they
 * are first needed, and each is ready for sending as soon as it is compressed. What comes out depends on the archive
 * and the options alone: the same archive has the same digest every time.
 *
 * `getManifest` and `earlyBlobs` emit the event `layers` before anything is read, and `layer-ready` for each layer.
 */
export class DockerArchiveSource implements Source {
  readonly label: string
  readonly #files: FileSet
  readonly #image: ManifestJsonImage
  readonly #options: DockerArchiveOptions
  readonly #spool: Spool
  readonly #cache: LayerCache | undefined
  readonly #limit = new WeightedLimit({ count: LAYERS_AT_ONCE })
  #config: Promise<ImageConfig> | undefined
  #layers: Promise<StartedLayers> | undefined
  #manifest: Promise<RawManifest> | undefined
  readonly #blobs = new Map<Digest, Pick<PreparedLayer, 'open' | 'chunksFrom' | 'isOwn'>>()

  /** The file set is disposed by whoever opened it, after this source. */
  constructor(files: FileSet, image: ManifestJsonImage, options: DockerArchiveOptions = {}) {
    this.label = files.label
    this.#files = files
    this.#image = image
    this.#options = options
    this.#spool = new Spool(options.spoolFolder)
    const { cacheFolder } = options
    this.#cache = cacheFolder === undefined ? undefined : new LayerCache(join(cacheFolder, 'layers'))
  }

  /**
   * The image ID: the digest of the config.
   *
   * @throws RegctlError when the config is missing or broken
   */
  async configDigest(): Promise<Digest> {
    return digestOf((await this.#readConfig()).bytes)
  }

  /**
   * The config with its diffIDs.
   *
   * @throws RegctlError when it is missing or broken, or its bytes are not those that its name says
   */
  async imageConfig(): Promise<ImageConfig> {
    return await this.#readConfig()
  }

  /** Looks at every layer without making anything of it; see {@link checkLayers}. @throws as {@link imageConfig} */
  async *checkLayers(options: { full: boolean; signal: AbortSignal }): AsyncGenerator<ArchivePart> {
    yield* checkLayers(this.#files, this.#image, await this.#readConfig(), options)
  }

  /** @throws RegctlError as {@link prepareLayer}, or when the config and the list of layers don't fit each other */
  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    this.#manifest ??= this.#makeManifest(context)
    const manifest = await this.#manifest
    if (isDigest(tagOrDigest) && tagOrDigest !== manifest.descriptor.digest) {
      throw new DockerArchiveError(`manifest ${tagOrDigest} is not in ${this.label}`, {
        kind: 'not-found',
        code: 'missing-manifest',
      })
    }
    return manifest
  }

  async *earlyBlobs(context: Context): AsyncIterable<Descriptor> {
    const { bytes } = await this.#readConfig()
    const { prepared, isReading } = await this.#startLayers(context)
    // Where nothing takes time there is nothing to send early: first it is seen whether the whole image is in place.
    if (!(await isReading)) return
    yield { mediaType: MediaType.dockerConfig, digest: digestOf(bytes), size: bytes.length }
    for await (const { digest, size } of inOrderOfReadiness(prepared))
      yield { mediaType: MediaType.dockerLayer, digest, size }
  }

  /** The layers as they lie in the archive: nothing is compressed. */
  async openContents(): Promise<ImageContents> {
    const { bytes, diffIDs } = await this.#readConfig()
    const layers = await pairLayers(this.#files, this.#image, diffIDs)
    return {
      config: bytes,
      layers: layers.map(({ file, diffID, size }) => ({
        diffID,
        size,
        open: () => this.#files.open(file),
      })),
    }
  }

  /** The layers are made ready to know their digests, unless it is the config's. */
  async statBlob(digest: Digest, context: Context): Promise<number | undefined> {
    const { bytes } = await this.#readConfig()
    if (digestOf(bytes) === digest) return bytes.length
    const { prepared } = await this.#startLayers(context)
    const layers = await Promise.all(prepared.values())
    return layers.find(layer => layer.digest === digest)?.size
  }

  async openBlob(descriptor: Descriptor, _context: Context, from?: number): Promise<Readable> {
    const blob = this.#blobs.get(descriptor.digest)
    if (blob === undefined) {
      throw new DockerArchiveError(`blob ${descriptor.digest} is not in ${this.label}`, {
        kind: 'not-found',
        code: 'missing-blob',
      })
    }
    return await blob.open(from)
  }

  blobChunks(descriptor: Descriptor, context: Context, from?: number): Chunks {
    return (
      this.#blobs.get(descriptor.digest)?.chunksFrom?.(from) ??
      blobChunksOf({ openBlob: () => this.openBlob(descriptor, context, from) }, descriptor, context)
    )
  }

  /** Layers in the spool were hashed when they were put there. */
  hasVerified(digest: Digest): boolean {
    return this.#blobs.get(digest)?.isOwn === true
  }

  /** A docker-archive can't hold referrers. */
  async listReferrers(): Promise<Descriptor[]> {
    return []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Layers may still be on their way into the spool when a copy was given up.
    const layers = await this.#layers?.catch(() => undefined)
    await Promise.allSettled(layers?.prepared.values() ?? [])
    await this.#spool[Symbol.asyncDispose]()
  }

  #readConfig(): Promise<ImageConfig> {
    this.#config ??= (async () => {
      const { config: name } = this.#image
      const what = `config ${name} of ${this.label}`
      if ((await this.#files.stat(name)) === undefined) {
        throw brokenArchive('missing-config', `config ${name} is not in ${this.label}`)
      }
      const bytes = await readSmall(this.#files, name, CONFIG_LIMIT_BYTES)
      const digest = digestOf(bytes)
      const named = /(?:^|[/:])([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1]
      if (named !== undefined && digest !== `sha256:${named}` && this.#options.trustConfig !== true) {
        throw wrongConfig(what, `sha256:${named}`, digest)
      }
      this.#blobs.set(digest, {
        open: async (from = 0) => Readable.from([bytes.subarray(from)], { objectMode: false }),
      })
      return parseImageConfig(bytes, what)
    })()
    return this.#config
  }

  #startLayers(context: Context): Promise<StartedLayers> {
    this.#layers ??= (async () => {
      const { diffIDs } = await this.#readConfig()
      const order = await pairLayers(this.#files, this.#image, diffIDs)
      context.emit({ type: 'layers', layers: order.map(({ diffID, size }) => ({ diffID, size })) })
      const prepared = new Map<Digest, Promise<PreparedLayer>>()
      let tellReading: (isReading: boolean) => void = () => {}
      const isReading = new Promise<boolean>(resolve => {
        tellReading = resolve
      })
      for (const layer of inOrderOfWork(order)) {
        const ready = this.#limit.run(1, () => this.#prepare(layer, context, () => tellReading(true)))
        ready.catch(() => {})
        prepared.set(layer.diffID, ready)
      }
      Promise.allSettled(prepared.values()).then(() => tellReading(false))
      return { order, prepared, isReading }
    })()
    return this.#layers
  }

  async #prepare(
    { file, diffID }: ArchiveLayer,
    context: Context,
    reads: () => void,
  ): Promise<PreparedLayer> {
    const size = (await this.#files.stat(file))?.size ?? 0
    const prepared = await prepareLayer(file, diffID, {
      files: this.#files,
      spool: this.#spool,
      compression: this.#options.compression ?? { algorithm: 'auto' },
      signal: context.signal,
      cache: this.#cache,
      limit: this.#limit,
      reads,
      tell: offset => context.emit({ type: 'layer-progress', diffID, offset, size }),
    })
    this.#blobs.set(prepared.digest, prepared)
    context.emit({
      type: 'layer-ready',
      diffID,
      descriptor: { mediaType: MediaType.dockerLayer, digest: prepared.digest, size: prepared.size },
    })
    return prepared
  }

  async #makeManifest(context: Context): Promise<RawManifest> {
    const { bytes } = await this.#readConfig()
    const { order, prepared } = await this.#startLayers(context)
    const layers: PreparedLayer[] = []
    for (const { diffID } of order) {
      const layer = await prepared.get(diffID)
      if (layer !== undefined) layers.push(layer)
    }
    return makeManifest(bytes, layers, this.#formatFor(layers, context), this.label)
  }

  #formatFor(layers: readonly PreparedLayer[], context: Context): 'docker' | 'oci' {
    const { format } = this.#options
    if (format === 'oci' || !layers.some(layer => layer.compression === 'zstd')) return format ?? 'docker'
    if (format === 'docker') {
      throw new DockerArchiveError(`${this.label} has zstd layers, which a Docker manifest can't express`, {
        kind: 'usage',
        code: 'format-conflict',
        hint: 'Use `--format oci`, or `--compression gzip`',
      })
    }
    context.emit({ type: 'warning', message: `${this.label} has zstd layers: it gets an OCI manifest` })
    return 'oci'
  }
}

function wrongConfig(what: string, named: Digest, found: Digest): DockerArchiveError {
  const { message } = digestMismatch(what, named, found)
  return brokenArchive(
    'digest-mismatch',
    message,
    'If it was edited on purpose, push it with `--trust-config`',
  )
}
