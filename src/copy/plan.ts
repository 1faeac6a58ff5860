import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { ImageManifest } from '../content/manifest.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { ManifestWalk } from './manifest-walk.js'
import { followReferrers, type PlannedReferrer } from './referrers.js'

/** Everything below one manifest or index, each thing once, in an order in which it can be put in place. */
export interface Plan {
  root: RawManifest
  /** The image manifests below the root in the order in which they were found. */
  images: readonly ImageManifest[]
  /** Configs, layers and other blobs, in the order of their manifests; without those that may not be distributed. */
  blobs: readonly Descriptor[]
  /** Layers that a registry need not hold (rule R172). */
  foreign: readonly Descriptor[]
  /** Manifests by height: those of one level name only what is in the levels before. The root is alone in the last. */
  levels: readonly (readonly RawManifest[])[]
  /** What refers to these, and is put after them, in the same way. Empty when it was not asked for. */
  referrers: readonly (readonly PlannedReferrer[])[]
  /** Every manifest of the plan, with what it names directly. */
  manifests: ReadonlyMap<Digest, { raw: RawManifest; parts: readonly Descriptor[] }>
}

/**
 * Reads the graph of manifests below `root`, and with `referrers` what refers to any of them.
 *
 * @param root tag or digest, as the source knows it
 * @throws CopyError `too-deep` or `too-many`; ContentError when a manifest is not what its descriptor says; and
 * whatever the source throws
 */
export async function planCopy(
  source: Source,
  root: string,
  context: Context,
  options: { referrers?: boolean } = {},
): Promise<Plan> {
  const first = await source.getManifest(root, context)
  context.signal.throwIfAborted()
  const walk = new ManifestWalk(source, context)
  const levels = await walk.read(first)
  const images = [...walk.images]
  // A manifest that is only made now can't be referred to.
  const mayHaveReferrers = options.referrers === true && source.earlyBlobs === undefined
  const referrers = mayHaveReferrers ? await followReferrers(source, walk, context) : []
  return {
    root: first,
    images,
    blobs: [...walk.blobs.values()],
    foreign: [...walk.foreign.values()],
    levels,
    referrers,
    manifests: walk.manifests,
  }
}
