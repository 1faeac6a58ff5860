import { Readable, type Writable } from 'node:stream'
import type { Descriptor, Platform } from './content/descriptor.js'
import { parseManifest } from './content/manifest.js'
import { isIndexType } from './content/media-types.js'
import { hostPlatform } from './content/platform.js'
import { type Reference, repositoryOf } from './content/reference.js'
import type { Context, RawManifest, Source } from './content/store.js'
import { ConvertedSource } from './convert/converted-source.js'
import { copy, type TargetResult } from './copy/copy.js'
import { RememberedSource } from './copy/remembered-source.js'
import { checkArchivable } from './docker-archive/write-manifest-json.js'
import { namesOf, statedNames } from './open-sink.js'
import { choosePlatform, openSource } from './open-source.js'
import { openPullDestination, type PullDestination } from './pull-destination.js'
import { PullError, type PullPlan } from './pull-plan.js'
import type { RegistryClient } from './registry/client.js'

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
 * @throws PullError of kind `usage`: `not-a-docker-archive`, `no-referrers`; what opening the destination throws; where the destination appears as a
 * whole, the error of the first image that fails
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
  const { format } = plan
  checkFormat(plan, options)
  const { stdout, dryRun = false } = options
  await using destination = await openPullDestination(plan.destination, { stdout, format, dryRun })
  const images: PulledImage[] = []
  for (const reference of plan.references) {
    const image = await pullImage(reference, plan, destination, client, context, options)
    if (image.error !== undefined && (destination.isWhole || context.signal.aborted)) throw image.error
    options.observer?.end?.(image)
    images.push(image)
  }
  await destination.commit(context)
  return images
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

async function pullImage(
  reference: Reference,
  { destination: locator, format }: PullPlan,
  destination: PullDestination,
  client: RegistryClient,
  context: Context,
  options: PullOptions,
): Promise<PulledImage> {
  const names = statedNames(locator, format) ?? namesOf(reference)
  const nothing = {
    label: repositoryOf(reference),
    copied: 0,
    mounted: 0,
    exists: 0,
    skipped: 0,
    bytes: 0,
    changed: false,
  }
  const failed = (error: unknown): PulledImage => ({
    ...nothing,
    ...{ reference, tags: names.tags, root: undefined, written: undefined, referrers: 0, error },
  })
  try {
    const found = await findImage(reference, format === 'docker-archive', client, context, options)
    if (format === 'docker-archive') checkArchivable(found.raw)
    const { platform, isHostChoice } = found
    options.observer?.begin?.({ reference, platform, isHostChoice })
    await using source =
      options.uncompressed === true && options.dryRun !== true
        ? new ConvertedSource(found.source, PLAIN, await destination.scratchFolder())
        : found.source
    const target = { sink: await destination.sinkFor(names.repository), tags: names.tags }
    const { descriptor } = found.raw
    const result = await copy(source, descriptor.digest, [target], context, {
      dryRun: options.dryRun ?? false,
      referrers: options.referrers ?? false,
      ...(options.jobs !== undefined && { jobs: options.jobs }),
    })
    const ended = result.targets[0] ?? { ...nothing, error: undefined }
    return {
      ...ended,
      ...{ reference, tags: names.tags, platform, root: descriptor, written: result.root },
      referrers: result.referrers,
    }
  } catch (error) {
    return failed(error)
  }
}

const PLAIN = { compression: { algorithm: 'none' } } as const

interface FoundImage {
  source: Source
  raw: RawManifest
  platform: Platform | undefined
  isHostChoice: boolean
}

/** Finds what a reference names; of an index, the image for the platform that was asked for. */
async function findImage(
  reference: Reference,
  isSingle: boolean,
  client: RegistryClient,
  context: Context,
  { platform, checkTag }: PullOptions,
): Promise<FoundImage> {
  const named = await openSource({ kind: 'registry', reference }, context, {
    client,
    checkTag,
    stdin: Readable.from([]),
  })
  const source = new RememberedSource(named.source)
  const whole = await source.getManifest(named.root, context)
  const wanted = platform ?? (isSingle ? 'host' : undefined)
  if (wanted === undefined) return { source, raw: whole, platform: undefined, isHostChoice: false }
  const chosen = await choosePlatform({ source, root: whole.descriptor.digest }, wanted, context)
  const raw = await source.getManifest(chosen.root, context)
  if (raw === whole) return { source, raw, platform: undefined, isHostChoice: false }
  const found = platformIn(whole, raw) ?? platform ?? hostPlatform()
  return { source, raw, platform: found, isHostChoice: platform === undefined }
}

/** What an index says of one of its images; undefined where it stands in an index within it. */
function platformIn({ descriptor, bytes }: RawManifest, image: RawManifest): Platform | undefined {
  if (!isIndexType(descriptor.mediaType)) return undefined
  const index = parseManifest(bytes, descriptor.mediaType, `manifest ${descriptor.digest}`)
  const entries = index.kind === 'index' ? index.manifests : []
  return entries.find(({ digest }) => digest === image.descriptor.digest)?.platform
}
