import type { Readable } from 'node:stream'
import type { LayerCompression } from '../compression/layer-compression.js'
import { Spool } from '../compression/spool.js'
import { blobChunksOf, type Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import { type Digest, isDigest } from '../content/digest.js'
import { announcedCompression, formatOf, LAYER_TYPES, type ManifestFormat } from '../content/layer-types.js'
import {
  type ImageManifest,
  type Index,
  isObject,
  parseJson,
  parseJsonObject,
  parseManifest,
  rawManifest,
} from '../content/manifest.js'
import { isImageConfigType, MediaType } from '../content/media-types.js'
import { readConfigBlob } from '../content/read-config-blob.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { ConvertError } from './convert-error.js'
import { type ConvertedLayer, convertLayer } from './convert-layer.js'
import { lateLayer } from './late-layer.js'

/** What to change of an image. */
export interface Conversion {
  /** Default: layers stay as they are. */
  compression?: LayerCompression
  /**
   * Uncompress layers only when they are read, where that can be: their sizes and digests are those that others tell, and
   * whoever reads them has to check both. When they are wrong, the source is to be made again without this. Default: false.
   */
  late?: boolean
  /** Default: each manifest keeps its family of types. */
  format?: ManifestFormat
}

/** How deep indexes are converted; the same bound as for copying (rule R232). */
const MAXIMUM_DEPTH = 8
/** Annotations about the layer's old compressed bytes, which are wrong for the new ones. */
const STALE_ANNOTATION =
  /^io\.github\.containers\.zstd-chunked\.|^io\.containers\.estargz\.|^containerd\.io\/snapshot\/stargz\//

/**
 * An image or index of another source with its layers compressed in another way, or with the other family of media types.
 * Every manifest that changes gets a new digest, and so does every index above it; a warning says so. What is no
 * image (attestations, artifacts) stays as it is.
 */
export class ConvertedSource implements Source {
  readonly label: string
  readonly #base: Source
  readonly #conversion: Conversion
  readonly #spool: Spool
  readonly #manifests = new Map<Digest, RawManifest>()
  readonly #layers = new Map<Digest, ConvertedLayer>()
  readonly #converted = new Map<Digest, Promise<ConvertedLayer | undefined>>()
  readonly #roots = new Map<string, Promise<RawManifest>>()

  /** The base is not disposed with this source. */
  constructor(base: Source, conversion: Conversion, spoolFolder?: string) {
    this.label = base.label
    this.#base = base
    this.#conversion = conversion
    this.#spool = new Spool(spoolFolder)
  }

  /** @throws ConvertError `format-conflict`, `too-deep`; what the base and {@link convertLayer} throw */
  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    const made = isDigest(tagOrDigest) ? this.#manifests.get(tagOrDigest) : undefined
    if (made !== undefined) return made
    const root = this.#roots.get(tagOrDigest) ?? this.#convertRoot(tagOrDigest, context)
    this.#roots.set(tagOrDigest, root)
    return await root
  }

  async openBlob(descriptor: Descriptor, context: Context, from = 0): Promise<Readable> {
    const layer = this.#layers.get(descriptor.digest)
    return layer === undefined
      ? await this.#base.openBlob(descriptor, context, from)
      : await layer.open(from, context)
  }

  blobChunks(descriptor: Descriptor, context: Context, from = 0, cut?: number): Chunks {
    const layer = this.#layers.get(descriptor.digest)
    if (layer === undefined) return blobChunksOf(this.#base, descriptor, context, from, cut)
    const chunks = from === 0 ? layer.chunks?.(context, cut) : undefined
    return chunks ?? blobChunksOf({ openBlob: () => layer.open(from, context) }, descriptor, context, from)
  }

  checksChunks(digest: Digest): boolean {
    return this.#layers.get(digest)?.isChecked === true
  }

  /** What was converted is in the spool, and would be the same again. */
  rejectBlob(digest: Digest, context: Context): boolean {
    return !this.#layers.has(digest) && (this.#base.rejectBlob?.(digest, context) ?? false)
  }

  listReferrers(subject: Digest, context: Context): Promise<Descriptor[]> {
    return this.#base.listReferrers(subject, context)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#converted.values())
    await this.#spool[Symbol.asyncDispose]()
  }

  async #convertRoot(tagOrDigest: string, context: Context): Promise<RawManifest> {
    const root = await this.#base.getManifest(tagOrDigest, context)
    const converted = await this.#convert(root, context, 0)
    if (converted !== root) {
      const { digest } = converted.descriptor
      context.emit({
        type: 'warning',
        message: `${this.label} is converted: its digest was ${root.descriptor.digest} and is now ${digest}`,
      })
    }
    return converted
  }

  async #convert(raw: RawManifest, context: Context, depth: number): Promise<RawManifest> {
    const what = `manifest ${raw.descriptor.digest} of ${this.label}`
    const manifest = parseManifest(raw.bytes, raw.descriptor.mediaType, what)
    const document = parseJsonObject(raw.bytes, what)
    const changed =
      manifest.kind === 'index'
        ? await this.#convertIndex(manifest, document, context, depth)
        : await this.#convertImage(manifest, document, context)
    // What an image says stays byte for byte when nothing of it changes.
    if (!changed) return raw
    const mediaType = String(document.mediaType ?? manifest.mediaType)
    const converted = rawManifest(mediaType, new TextEncoder().encode(JSON.stringify(document)))
    this.#manifests.set(converted.descriptor.digest, converted)
    return converted
  }

  async #convertIndex(
    index: Index,
    document: Record<string, unknown>,
    context: Context,
    depth: number,
  ): Promise<boolean> {
    if (depth >= MAXIMUM_DEPTH) {
      throw new ConvertError(`${this.label} is nested deeper than ${MAXIMUM_DEPTH} indexes`, {
        kind: 'corrupt',
        code: 'too-deep',
      })
    }
    const renamed = new Map<string, Digest>()
    const entries = document.manifests as Record<string, unknown>[]
    for (const [position, child] of index.manifests.entries()) {
      const raw = { ...(await this.#base.getManifest(child.digest, context)), descriptor: child }
      const { descriptor } = await this.#convert(raw, context, depth + 1)
      if (descriptor === child) continue
      renamed.set(child.digest, descriptor.digest)
      Object.assign(entries[position] ?? {}, {
        mediaType: descriptor.mediaType,
        digest: descriptor.digest,
        size: descriptor.size,
      })
    }
    for (const entry of entries) renameInAnnotations(entry, renamed)
    const wanted = { docker: MediaType.dockerManifestList, oci: MediaType.ociIndex }[
      this.#conversion.format ?? formatOf(index.mediaType)
    ]
    const typeChanges = wanted !== index.mediaType
    if (typeChanges) document.mediaType = wanted
    return typeChanges || renamed.size > 0
  }

  async #convertImage(
    image: ImageManifest,
    document: Record<string, unknown>,
    context: Context,
  ): Promise<boolean> {
    const isContainerImage = isImageConfigType(image.config.mediaType)
    if (!isContainerImage || image.layers.some(layer => announcedCompression(layer.mediaType) === undefined))
      return false
    const format = this.#conversion.format ?? formatOf(image.mediaType)
    const diffIDs = this.#conversion.compression === undefined ? [] : await this.#readDiffIDs(image, context)
    const entries = document.layers as Record<string, unknown>[]
    let changed = false
    for (const [position, layer] of image.layers.entries()) {
      const entry = entries[position] ?? {}
      const converted = await this.#convertLayer(layer, diffIDs[position], context)
      const compression = converted?.compression ?? announcedCompression(layer.mediaType) ?? 'none'
      const mediaType = this.#layerType(format, compression)
      if (converted === undefined && mediaType === layer.mediaType) continue
      changed = true
      entry.mediaType = mediaType
      if (converted !== undefined) replaceContent(entry, converted)
    }
    return this.#changeFormat(image, document, format) || changed
  }

  #changeFormat(image: ImageManifest, document: Record<string, unknown>, format: ManifestFormat): boolean {
    if (formatOf(image.mediaType) === format) return false
    if (format === 'docker' && (image.subject !== undefined || Object.keys(image.annotations).length > 0)) {
      throw new ConvertError(
        `${this.label} has annotations or a subject, which a Docker manifest can't express`,
        {
          kind: 'usage',
          code: 'format-conflict',
          hint: 'Leave out `--format docker`',
        },
      )
    }
    document.mediaType = format === 'oci' ? MediaType.ociManifest : MediaType.dockerManifest
    const config = document.config as Record<string, unknown>
    config.mediaType = format === 'oci' ? MediaType.ociConfig : MediaType.dockerConfig
    return true
  }

  #layerType(format: ManifestFormat, compression: 'none' | 'gzip' | 'zstd'): string {
    const mediaType = LAYER_TYPES[format][compression]
    if (mediaType !== undefined) return mediaType
    throw new ConvertError(`${this.label} would have zstd layers, which a Docker manifest can't express`, {
      kind: 'usage',
      code: 'format-conflict',
      hint: 'Use `--format oci`, or `--compression gzip`',
    })
  }

  /** Converts a layer once, however many images share it. */
  async #convertLayer(
    layer: Descriptor,
    diffID: Digest | undefined,
    context: Context,
  ): Promise<ConvertedLayer | undefined> {
    const { compression } = this.#conversion
    if (compression === undefined) return undefined
    const converting =
      this.#converted.get(layer.digest) ?? this.#makeLayer(layer, diffID, compression, context)
    this.#converted.set(layer.digest, converting)
    const converted = await converting
    if (converted !== undefined) this.#layers.set(converted.digest, converted)
    return converted
  }

  async #makeLayer(
    layer: Descriptor,
    diffID: Digest | undefined,
    compression: LayerCompression,
    context: Context,
  ): Promise<ConvertedLayer | undefined> {
    const isLate = this.#conversion.late && compression.algorithm === 'none' && diffID !== undefined
    const late = isLate ? await lateLayer(this.#base, layer, diffID, context) : undefined
    return late ?? (await convertLayer(this.#base, layer, diffID, compression, this.#spool, context))
  }

  async #readDiffIDs(image: ImageManifest, context: Context): Promise<(Digest | undefined)[]> {
    const what = `config ${image.config.digest} of ${this.label}`
    const config = parseJson(await readConfigBlob(this.#base, image.config, context), what)
    const diffIDs = isObject(config) && isObject(config.rootfs) ? config.rootfs.diff_ids : undefined
    if (!Array.isArray(diffIDs)) return []
    return diffIDs.map(diffID => (typeof diffID === 'string' && isDigest(diffID) ? diffID : undefined))
  }
}

function replaceContent(entry: Record<string, unknown>, { digest, size }: ConvertedLayer): void {
  entry.digest = digest
  entry.size = size
  if (!isObject(entry.annotations)) return
  for (const key of Object.keys(entry.annotations))
    if (STALE_ANNOTATION.test(key)) delete entry.annotations[key]
}

/** An attestation in an index names the image that it is about by digest, in an annotation. */
function renameInAnnotations(entry: Record<string, unknown>, renamed: ReadonlyMap<string, Digest>): void {
  if (!isObject(entry.annotations)) return
  for (const [key, value] of Object.entries(entry.annotations)) {
    const name = typeof value === 'string' ? renamed.get(value) : undefined
    if (name !== undefined) entry.annotations[key] = name
  }
}
