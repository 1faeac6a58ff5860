import type { Descriptor, Platform } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { isIndexType } from '../content/media-types.js'
import { hostPlatform } from '../content/platform.js'
import type { Context, Source } from '../content/store.js'
import { type CopyOptions, copy, type TargetResult } from '../copy/copy.js'
import { CopyError } from '../copy/copy-error.js'
import type { Root } from '../copy/derived-source.js'
import { platformRoot } from '../copy/platform-root.js'
import { type PlatformSubset, platformSubset } from '../copy/platform-subset.js'
import { presentRoot } from '../copy/present-root.js'
import { findReferrers } from '../copy/referrers.js'
import type { Destination } from './copy-destinations.js'

/** What is taken of an image. */
export interface RootSelection {
  /** One: that image of an index. Several: an index of just these (see {@link platformSubset}). Default: everything. */
  platforms?: readonly Platform[] | undefined
  /** Refuse an index of which the source lacks a part, instead of leaving it out. */
  strict?: boolean | undefined
}

/** How the copy to one destination ended. */
export interface ImageCopyResult extends TargetResult {
  /** `host/repository`, or the path. */
  place: string
  tags: readonly string[]
  /** What was copied; undefined when it could not be read. */
  root: Descriptor | undefined
  /** The index that the copied one is a part of, when it was made for this copy. */
  madeFrom: Digest | undefined
  /** How many referrers came with it. */
  referrers: number
}

/**
 * What to copy of an image.
 *
 * @param isRemote whether it is in a registry, which has what it names
 * @throws CopyError `no-such-platform`, or `missing-blob` with `strict`; what the source throws
 */
export async function chooseRoot(
  whole: Root,
  isRemote: boolean,
  { platforms = [], strict = false }: RootSelection,
  context: Context,
): Promise<PlatformSubset> {
  const [platform, ...others] = platforms
  if (others.length > 0) return await platformSubset(whole, platforms, context)
  if (platform !== undefined) return await platformRoot(whole, platform, context)
  // What is compressed on the way has no index, and asking for its manifest would wait for all of it.
  if (isRemote || whole.source.earlyBlobs !== undefined) return whole
  return await presentRoot(whole, context, { strict })
}

/**
 * Copies an image to destinations. One that fails, or could not be opened, does not stop the others: its error is in
 * its result. A destination for single images gets that of this machine's platform.
 *
 * @throws CopyError when an index has no single image to take
 */
export async function copyRoot(
  whole: PlatformSubset,
  destinations: readonly Destination[],
  context: Context,
  options: CopyOptions,
): Promise<ImageCopyResult[]> {
  const results = new Map<Destination, ImageCopyResult>()
  if (whole.made !== undefined && options.referrers === true)
    await tellLeftOut(whole.source, whole.made.from, context)
  for (const isSingle of [false, true]) {
    const group = destinations.filter(destination => destination.isSingle === isSingle)
    if (group.length === 0) continue
    const root = isSingle ? await chooseSingle(whole, context) : whole
    await copyTo(group, root, context, options, results)
  }
  return destinations.map(destination => results.get(destination) as ImageCopyResult)
}

async function tellLeftOut(source: Source, index: Digest, context: Context): Promise<void> {
  const { length } = await findReferrers(source, index, context)
  if (length === 0) return
  const what = length === 1 ? '1 referrer' : `${length} referrers`
  const message = `what refers to the whole index ${index} is left out (${what}): it says nothing of the new one`
  context.emit({ type: 'warning', message })
}

async function copyTo(
  destinations: readonly Destination[],
  { source, root, made }: PlatformSubset,
  context: Context,
  options: CopyOptions,
  results: Map<Destination, ImageCopyResult>,
): Promise<void> {
  const targets = destinations.flatMap(({ opened, tags }) =>
    opened === undefined
      ? []
      : [{ sink: opened.sink, tags, ...(opened.group !== undefined && { group: opened.group }) }],
  )
  const ended = await copy(source, root, targets, context, options)
  const ends = [...ended.targets]
  for (const destination of destinations) {
    const end = destination.opened === undefined ? undefined : ends.shift()
    results.set(destination, {
      ...(end ?? failedResult(destination, destination.error)),
      place: destination.place,
      tags: destination.tags,
      root: ended.root,
      madeFrom: made?.from,
      referrers: ended.referrers,
    })
  }
}

/** The result for a destination to which nothing could be copied. */
export function failedResult({ place, label, tags }: Destination, error: unknown): ImageCopyResult {
  const nothing = { copied: 0, mounted: 0, exists: 0, skipped: 0, bytes: 0, changed: false }
  return { ...nothing, label, error, place, tags, root: undefined, madeFrom: undefined, referrers: 0 }
}

async function chooseSingle(whole: PlatformSubset, context: Context): Promise<PlatformSubset> {
  if (whole.source.earlyBlobs !== undefined) return whole
  const { descriptor } = await whole.source.getManifest(whole.root, context)
  if (!isIndexType(descriptor.mediaType)) return whole
  if (whole.made !== undefined) {
    throw new CopyError('a docker-archive holds images of one platform each', {
      kind: 'usage',
      code: 'several-platforms',
      hint: 'Give one `--platform`, or write an OCI archive with `--format oci-archive`',
    })
  }
  return await platformRoot(whole, hostPlatform(), context)
}
