import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { childrenOf, type ImageManifest, type Index, parseManifest } from '../content/manifest.js'
import { isForeignLayerType, isIndexType, isManifestType } from '../content/media-types.js'
import { printable } from '../content/printable.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { verifyBytes } from '../content/verify.js'
import { WeightedLimit } from '../limit.js'
import { CopyError } from './copy-error.js'

/** How deep indexes may be nested, and how long a chain of referrers may be (rules R85, R232). Real ones are short. */
export const MAXIMUM_DEPTH = 8
/** How many manifests one copy may have (rule R232). */
export const MAXIMUM_MANIFESTS = 10_000
/** Small answers, for which it is mostly waited. */
const READS_AT_ONCE = 8

/**
 * Reads graphs of manifests, and remembers what is in them. Each manifest is read once, however often it is named: what
 * is remembered is the promise, so two parents of one child both wait for it.
 */
export class ManifestWalk {
  /** The image manifests in the order in which they were found. */
  readonly images: ImageManifest[] = []
  /** Configs, layers and other blobs, in the order of their manifests; without those that may not be distributed. */
  readonly blobs = new Map<Digest, Descriptor>()
  /** Layers that a registry need not hold (rule R172). */
  readonly foreign = new Map<Digest, Descriptor>()
  /** Every manifest, with what it names: children of an index, blobs of an image without the foreign ones. */
  readonly manifests = new Map<Digest, { raw: RawManifest; parts: readonly Descriptor[] }>()
  readonly #heights = new Map<Digest, Promise<number>>()
  /** Children that are read ahead of their turn. */
  readonly #ahead = new Map<Digest, Promise<RawManifest>>()
  readonly #limit = new WeightedLimit({ count: READS_AT_ONCE })
  readonly #source: Source
  readonly #context: Context

  constructor(source: Source, context: Context) {
    this.#source = source
    this.#context = context
  }

  /**
   * Reads what is below a manifest.
   *
   * @returns what was not read before, by height: the manifests of one level name only what is in the levels before, or
   *   was read by an earlier call. The manifest itself is alone in the last
   * @throws CopyError `too-deep` or `too-many`; ContentError when a manifest is not what its descriptor says; and
   *   whatever the source throws
   */
  async read(raw: RawManifest): Promise<RawManifest[][]> {
    const levels: RawManifest[][] = []
    await this.#visit(raw, 0, levels)
    // Of the heights some have nothing that is new.
    return levels.filter(level => level.length > 0)
  }

  #visit(raw: RawManifest, depth: number, levels: RawManifest[][]): Promise<number> {
    const known = this.#heights.get(raw.descriptor.digest)
    if (known !== undefined) return known
    const height = this.#place(raw, depth, levels)
    this.#heights.set(raw.descriptor.digest, height)
    return height
  }

  async #place(raw: RawManifest, depth: number, levels: RawManifest[][]): Promise<number> {
    const { descriptor, bytes } = raw
    const what = `manifest ${descriptor.digest} of ${this.#source.label}`
    const manifest = parseManifest(bytes, descriptor.mediaType, what)
    const isImage = manifest.kind === 'image'
    const height = isImage
      ? this.#placeImage(manifest)
      : await this.#placeIndex(manifest, what, depth, levels)
    const placed = { bytes, descriptor: { ...descriptor, mediaType: manifest.mediaType } }
    const parts = childrenOf(manifest).filter(part => !isImage || !isForeignLayerType(part.mediaType))
    this.manifests.set(descriptor.digest, { raw: placed, parts })
    for (let level = levels.length; level <= height; level++) levels.push([])
    levels[height]?.push(placed)
    return height
  }

  #placeImage(manifest: ImageManifest): number {
    this.images.push(manifest)
    for (const blob of childrenOf(manifest)) {
      const list = isForeignLayerType(blob.mediaType) ? this.foreign : this.blobs
      const named = list.get(blob.digest)
      if (named === undefined) list.set(blob.digest, blob)
      else if (named.size !== blob.size) throw twoSizes(blob.digest, named.size, blob.size)
    }
    return 0
  }

  async #placeIndex(index: Index, what: string, depth: number, levels: RawManifest[][]): Promise<number> {
    if (depth >= MAXIMUM_DEPTH && index.manifests.length > 0) {
      throw new CopyError(`${what} is nested deeper than ${MAXIMUM_DEPTH} indexes`, {
        kind: 'corrupt',
        code: 'too-deep',
      })
    }
    this.#readAhead(index)
    let height = 0
    for (const child of index.manifests) {
      const known = this.#heights.get(child.digest)
      if (known === undefined) this.checkCount()
      const childHeight = await (known ?? this.#readChild(child, what, depth, levels))
      this.#checkAgain(child, what)
      height = Math.max(height, childHeight + 1)
    }
    return height
  }

  /** What was read under another descriptor must be what this one says too (rules R207, R230). */
  #checkAgain(child: Descriptor, parent: string): void {
    const raw = this.manifests.get(child.digest)?.raw
    if (raw === undefined) return
    if (raw.bytes.length !== child.size) throw twoSizes(child.digest, raw.bytes.length, child.size)
    if (child.mediaType === '' || isIndexType(child.mediaType) === isIndexType(raw.descriptor.mediaType))
      return
    const message = `${parent} names ${child.digest} as ${printable(child.mediaType)}, but its content is of another kind`
    throw new CopyError(message, { kind: 'corrupt', code: 'media-type-mismatch' })
  }

  /** Begins to read the children of an index, so that they don't wait for each other. What fails is told in its turn. */
  #readAhead(index: Index): void {
    for (const { digest, mediaType } of index.manifests.slice(0, MAXIMUM_MANIFESTS)) {
      if (this.#heights.has(digest) || this.#ahead.has(digest) || !isManifestType(mediaType)) continue
      const reading = this.#limit.run(1, () => this.#source.getManifest(digest, this.#context))
      reading.catch(() => {})
      this.#ahead.set(digest, reading)
    }
  }

  /** @throws CopyError `too-many` when there is no room for another manifest */
  checkCount(): void {
    if (this.#heights.size < MAXIMUM_MANIFESTS) return
    throw new CopyError(`${this.#source.label} has more than ${MAXIMUM_MANIFESTS} manifests`, {
      kind: 'corrupt',
      code: 'too-many',
    })
  }

  async #readChild(
    child: Descriptor,
    parent: string,
    depth: number,
    levels: RawManifest[][],
  ): Promise<number> {
    if (child.mediaType !== '' && !isManifestType(child.mediaType)) {
      const message = `${parent} names ${child.digest} with the media type "${printable(child.mediaType)}", which is not known`
      throw new CopyError(message, { kind: 'corrupt', code: 'unsupported' })
    }
    const ahead = this.#ahead.get(child.digest)
    this.#ahead.delete(child.digest)
    const raw = await (ahead ?? this.#source.getManifest(child.digest, this.#context))
    verifyBytes(raw.bytes, child, `manifest ${child.digest} of ${this.#source.label}`)
    return await this.#visit({ bytes: raw.bytes, descriptor: child }, depth + 1, levels)
  }
}

/** The error for a digest that is named with sizes of which one must be wrong. */
function twoSizes(digest: Digest, one: number, other: number): CopyError {
  const message = `${digest} is named with ${one} bytes and also with ${other}`
  return new CopyError(message, { kind: 'corrupt', code: 'size-mismatch' })
}
