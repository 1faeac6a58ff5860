import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { childrenOf, type ImageManifest, type Index, parseManifest } from '../content/manifest.js'
import { isForeignLayerType, isManifestType } from '../content/media-types.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { verifyBytes } from '../content/verify.js'
import { CopyError } from './copy-error.js'

/** How deep indexes may be nested (rule R232). Real images have one level, seldom two. */
export const MAXIMUM_DEPTH = 8
/** How many manifests one copy may have (rule R232). */
export const MAXIMUM_MANIFESTS = 10_000

/** Everything below one manifest or index, each thing once, in an order in which it can be put in place. */
export interface Plan {
  root: RawManifest
  /** The image manifests in the order in which they were found. */
  images: readonly ImageManifest[]
  /** Configs, layers and other blobs, in the order of their manifests; without those that may not be distributed. */
  blobs: readonly Descriptor[]
  /** Layers that a registry need not hold (rule R172). */
  foreign: readonly Descriptor[]
  /** Manifests by height: those of one level name only what is in the levels before. The root is alone in the last. */
  levels: readonly (readonly RawManifest[])[]
}

/**
 * Reads the graph of manifests below `root`. Each manifest is read once, however often it is named: what is
 * remembered is the promise, so two parents of one child both wait for it.
 *
 * @param root tag or digest, as the source knows it
 * @throws CopyError `too-deep` or `too-many`; ContentError when a manifest is not what its descriptor says; and
 * whatever the source throws
 */
export async function planCopy(source: Source, root: string, context: Context): Promise<Plan> {
  const heights = new Map<Digest, Promise<number>>()
  const levels: RawManifest[][] = []
  const images: ImageManifest[] = []
  const blobs = new Map<Digest, Descriptor>()
  const foreign = new Map<Digest, Descriptor>()

  const first = await source.getManifest(root, context)
  context.signal.throwIfAborted()
  await visit(first, 0)
  return { root: first, images, blobs: [...blobs.values()], foreign: [...foreign.values()], levels }

  function visit(raw: RawManifest, depth: number): Promise<number> {
    const known = heights.get(raw.descriptor.digest)
    if (known !== undefined) return known
    const height = place(raw, depth)
    heights.set(raw.descriptor.digest, height)
    return height
  }

  async function place(raw: RawManifest, depth: number): Promise<number> {
    const what = `manifest ${raw.descriptor.digest} of ${source.label}`
    const manifest = parseManifest(raw.bytes, raw.descriptor.mediaType, what)
    const height = manifest.kind === 'image' ? placeImage(manifest) : await placeIndex(manifest, what, depth)
    levels[height] ??= []
    levels[height]?.push({
      bytes: raw.bytes,
      descriptor: { ...raw.descriptor, mediaType: manifest.mediaType },
    })
    return height
  }

  function placeImage(manifest: ImageManifest): number {
    images.push(manifest)
    for (const blob of childrenOf(manifest)) {
      const list = isForeignLayerType(blob.mediaType) ? foreign : blobs
      if (!list.has(blob.digest)) list.set(blob.digest, blob)
    }
    return 0
  }

  async function placeIndex(index: Index, what: string, depth: number): Promise<number> {
    if (depth >= MAXIMUM_DEPTH && index.manifests.length > 0) {
      throw new CopyError(`${what} is nested deeper than ${MAXIMUM_DEPTH} indexes`, {
        kind: 'corrupt',
        code: 'too-deep',
      })
    }
    let height = 0
    for (const child of index.manifests) {
      const known = heights.get(child.digest)
      if (known === undefined && heights.size >= MAXIMUM_MANIFESTS) {
        throw new CopyError(`${source.label} has more than ${MAXIMUM_MANIFESTS} manifests`, {
          kind: 'corrupt',
          code: 'too-many',
        })
      }
      const childHeight = await (known ?? readChild(child, what, depth))
      height = Math.max(height, childHeight + 1)
    }
    return height
  }

  async function readChild(child: Descriptor, parent: string, depth: number): Promise<number> {
    if (child.mediaType !== '' && !isManifestType(child.mediaType)) {
      throw new CopyError(
        `${parent} names ${child.digest} with the media type "${child.mediaType}", which is not known`,
        {
          kind: 'corrupt',
          code: 'unsupported',
        },
      )
    }
    const raw = await source.getManifest(child.digest, context)
    verifyBytes(raw.bytes, child, `manifest ${child.digest} of ${source.label}`)
    return visit({ bytes: raw.bytes, descriptor: child }, depth + 1)
  }
}
