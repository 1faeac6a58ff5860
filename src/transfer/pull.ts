import type { Writable } from 'node:stream'
import type { Descriptor, Platform } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { type Reference, repositoryOf } from '../content/reference.js'
import type { Context } from '../content/store.js'
import { type CopyOptions, copy, type TargetResult } from '../copy/copy.js'
import { checkArchivable } from '../docker-archive/write-manifest-json.js'
import type { ImageName } from '../open/archive-names.js'
import { namesOf, statedNames } from '../open/open-sink.js'
import type { RegistryClient } from '../registry/client.js'
import { ArchivedImages } from './archived-images.js'
import { type FoundImage, findImage } from './find-image.js'
import { openPullDestination, type PullDestination } from './pull-destination.js'
import { PullError, type PullPlan } from './pull-plan.js'

/** How {@link pull} works. Everything has a default but `stdout`. */
export interface PullOptions {
  /** Written where the destination is `-`. */
  stdout: Writable
  /** Pull this platform's image of each index. Default: for a docker-archive that of the host, else the whole index. */
  platform?: Platform | undefined
  /** Refuse a `name:tag@digest` whose tag has moved, instead of a warning. Default false. */
  checkTag?: boolean
  /** Make the layers of a docker-archive plain. The image ID stays; the manifest gets another digest. Default false. */
  uncompressed?: boolean
  /** Pull what refers to the images as well: signatures, SBOMs and attestations. OCI formats only. Default false. */
  referrers?: boolean
  /** Only look, and write nothing. Default false. */
  dryRun?: boolean
  /** How many large blobs travel at once; see `copy`. */
  jobs?: number | undefined
  /** The user's folder for caches, by which the next pull goes on where one came to no end; see `openSink`. */
  cacheFolder?: string | undefined
  observer?: PullObserver
}

/** Follows a pull, image by image; between `begin` and `end` come the events of the context. Must not throw. */
export interface PullObserver {
  begin?(image: BegunPull): void
  end?(image: PulledImage): void
}

/** An image that was found and is about to be copied. */
export interface BegunPull {
  reference: Reference
  /** The platform that was chosen of an index; undefined for a whole index, and for what is no index. */
  platform: Platform | undefined
  /** Whether nobody asked for this platform, but the format takes no index. */
  isHostChoice: boolean
}

/** One image, and how its pull ended. `error` is undefined when everything is in place. */
export interface PulledImage extends TargetResult {
  reference: Reference
  /** The tags that it has in the destination. */
  tags: readonly string[]
  platform?: Platform | undefined
  /** As the registry has it; undefined when it could not be read. */
  root: Descriptor | undefined
  /** As it was written: another one where layers were made plain. */
  written: Descriptor | undefined
  /** How many referrers came with it. */
  referrers: number
}

/**
 * Pulls images to one destination, one after the other; a blob that several of them have is downloaded once. An archive
 * or a `dir` folder appears when all of them are there. In an OCI layout, those that could be pulled stay, and an image
 * that fails does not stop the others.
 *
 * @returns one result for each reference, with its error where the destination is a layout
 * @throws PullError of kind `usage`: `not-a-docker-archive`, `no-referrers`; what opening the destination throws; where it
 * appears as a whole, the error of the first image that fails
 * @example
 * const plan = await planPull(['localhost:5000/app:1.0', 'app.tar'], {})
 * const [image] = await pull(plan, client, createContext(), { stdout: process.stdout })
 */
export async function pull(
  plan: PullPlan,
  client: RegistryClient,
  context: Context,
  options: PullOptions,
): Promise<PulledImage[]> {
  checkFormat(plan, options)
  const { stdout, dryRun = false, uncompressed = false, referrers = false } = options
  await using destination = await openPullDestination(plan.destination, {
    stdout,
    dryRun,
    format: plan.format,
    cacheFolder: options.cacheFolder,
  })
  const { archive } = destination
  const isAlone = plan.references.length === 1
  // What refers to an image is found as it is copied, and several images are gathered for one archive.
  const isDownloadedFirst = uncompressed || (isAlone && archive?.isFile && !referrers)
  const archived =
    isDownloadedFirst && archive !== undefined
      ? await ArchivedImages.into(archive, { uncompressed, isAlone })
      : undefined
  const images: PulledImage[] = []
  for (const reference of plan.references) {
    const image = await pullImage(reference, { plan, destination, archived, client, context, options })
    if (image.error !== undefined && (destination.isWhole || context.signal.aborted)) throw image.error
    options.observer?.end?.(image)
    images.push(image)
  }
  if (archived === undefined) await destination.commit(context)
  const made = await archived?.commit(context)
  return images.map(image => ({ ...image, written: writtenOf(image, made, plan, context) }))
}

/** Tells what of an image was written, and says so where it is another manifest than the registry's. */
function writtenOf(
  { root, reference, error }: PulledImage,
  made: ReadonlyMap<Digest, Descriptor> | undefined,
  { place }: PullPlan,
  context: Context,
): Descriptor | undefined {
  if (root === undefined || error !== undefined) return undefined
  const written = made?.get(root.digest) ?? root
  if (written.digest !== root.digest) {
    context.emit({
      type: 'warning',
      message: `with plain layers, ${repositoryOf(reference)}@${root.digest} has the manifest ${written.digest} in ${place}; its image ID stays`,
    })
  }
  return written
}

function checkFormat({ format, place }: PullPlan, { uncompressed, referrers }: PullOptions): void {
  if (uncompressed === true && format !== 'docker-archive') {
    throw new PullError(`layers are made plain in a docker-archive only, and ${place} is ${format}`, {
      kind: 'usage',
      code: 'not-a-docker-archive',
      hint: 'Leave out `--uncompressed`: OCI formats keep the bytes of the registry',
    })
  }
  if (referrers !== true || format === 'oci' || format === 'oci-archive') return
  throw new PullError(`the ${format} format has no room for referrers`, {
    kind: 'usage',
    code: 'no-referrers',
    hint: 'Write an OCI layout (`--format oci`) or an OCI archive (`--format oci-archive`)',
  })
}

/** What the pull of each image works with. */
interface PullWork {
  plan: PullPlan
  destination: PullDestination
  /** Undefined where images go straight to their destination. */
  archived: ArchivedImages | undefined
  client: RegistryClient
  context: Context
  options: PullOptions
}

async function pullImage(reference: Reference, work: PullWork): Promise<PulledImage> {
  const { format, destination: locator } = work.plan
  const names = statedNames(locator, format) ?? namesOf(reference)
  const known = { reference, tags: names.tags }
  try {
    const { client, context, options } = work
    const { platform, checkTag } = options
    const isSingle = format === 'docker-archive'
    const found = await findImage(reference, context, { client, platform, checkTag, isSingle })
    if (isSingle) checkArchivable(found.raw)
    options.observer?.begin?.({ reference, platform: found.platform, isHostChoice: found.isHostChoice })
    const { result, referrers } = await copyImage(found, names, work)
    return {
      ...result,
      ...known,
      platform: found.platform,
      root: found.raw.descriptor,
      written: undefined,
      referrers,
    }
  } catch (error) {
    const nothing = { copied: 0, mounted: 0, exists: 0, skipped: 0, bytes: 0, changed: false, referrers: 0 }
    const label = repositoryOf(reference)
    return { ...nothing, label, error, ...known, platform: undefined, root: undefined, written: undefined }
  }
}

async function copyImage(
  { source, raw }: FoundImage,
  names: ImageName,
  { destination, archived, context, options }: PullWork,
): Promise<{ result: TargetResult; referrers: number }> {
  const { digest } = raw.descriptor
  const copyOptions: CopyOptions = {
    dryRun: options.dryRun ?? false,
    referrers: options.referrers ?? false,
    ...(options.jobs !== undefined && { jobs: options.jobs }),
  }
  if (archived !== undefined) {
    const { targets, referrers } = await archived.download(source, digest, names, context, copyOptions)
    return { result: targets[0] as TargetResult, referrers }
  }
  const target = { sink: await destination.sinkFor(names.repository), tags: names.tags }
  const { targets, referrers } = await copy(source, digest, [target], context, copyOptions)
  return { result: targets[0] as TargetResult, referrers }
}
