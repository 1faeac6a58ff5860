import type { Descriptor, Platform } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { ImageEntry, ImageFile } from '../content/image-file.js'
import { familiarName, isTag, parseReference, type Reference, repositoryOf } from '../content/reference.js'
import type { Context, Source } from '../content/store.js'
import { type Conversion, ConvertedSource } from '../convert/converted-source.js'
import { type CopyOptions, type CopyTarget, copy, DEFAULT_JOBS, type TargetResult } from '../copy/copy.js'
import type { Root } from '../copy/derived-source.js'
import { platformRoot } from '../copy/platform-root.js'
import { presentRoot } from '../copy/present-root.js'
import { RegctlError } from '../errors.js'
import { selectImage } from '../open/image-selection.js'
import type { RegistryClient } from '../registry/client.js'
import type { Repository } from '../registry/repository.js'
import { PushAhead } from './push-ahead.js'

/** A push was asked for in a way that makes no sense. */
export class PushError extends RegctlError {}

/** What to push of a file. */
export interface PushSelection {
  /** Which image; see {@link selectImage}. Undefined when the file has just one. */
  image?: string
  /** Push this platform's image instead of the whole index. */
  platform?: Platform
  /** Refuse when an index names something that the file lacks, instead of leaving it out. */
  strict?: boolean
  /**
   * How to convert an image that has a manifest of its own. A docker-archive has none: it is opened with these
   * options instead (see {@link DockerArchiveOptions}).
   */
  conversion?: Conversion
}

/** One image on its way to one or several repositories. */
export interface ImagePush {
  image: ImageEntry
  /** In the order in which they were named; those of one repository together. */
  targets: readonly PushTarget[]
}

/** One repository that an image is pushed to. */
export interface PushTarget {
  /** `host/repository`. The `target` of this repository's events. */
  repository: string
  registry: string
  /** The repository's name without its host. */
  name: string
  tags: readonly string[]
}

/** How a push to one repository ended. */
export interface PushResult extends TargetResult {
  target: PushTarget
  /** The manifest or index that was pushed; undefined when it could not be read. */
  root: Descriptor | undefined
}

/**
 * What a push of one image under several names will do: names of one repository become tags of one target.
 *
 * @param references as the user wrote them
 * @returns the push, and the digest that a reference demands, if one does
 * @throws ContentError `bad-reference`; PushError `digest-conflict` when two references demand different digests
 */
export function planPush(
  file: ImageFile,
  references: readonly string[],
  selection: PushSelection,
): { push: ImagePush; digest: Digest | undefined } {
  const parsed = references.map(parseReference)
  const digests = new Set(parsed.flatMap(reference => reference.digest ?? []))
  if (digests.size > 1) {
    throw new PushError('the references name different digests', { kind: 'usage', code: 'digest-conflict' })
  }
  return {
    push: { image: selectImage(file, selection.image), targets: targetsOf(parsed) },
    digest: [...digests][0],
  }
}

/**
 * What a push of every image of a file will do: each gets its own names, below `prefix`.
 *
 * @param prefix a registry, or a registry with the beginning of a repository's name
 * @throws PushError `no-name` when an image has none; ContentError `bad-reference`
 */
export function planPushAll(file: ImageFile, prefix: string): ImagePush[] {
  return file.images.map((image, position) => {
    if (image.names.length === 0) {
      throw new PushError(`image #${position + 1} of ${file.label} has no name to push it under`, {
        kind: 'usage',
        code: 'no-name',
        hint: `Push it alone: \`--image '#${position + 1}'\` and a reference with its name`,
      })
    }
    return { image, targets: targetsOf(image.names.map(name => parseReference(nameBelow(prefix, name)))) }
  })
}

/** A layout's entry may be named by a tag alone; everything else is a name with or without a host, which is dropped. */
function nameBelow(prefix: string, name: string): string {
  const base = prefix.replace(/\/+$/, '')
  if (isTag(name) && base.includes('/')) return `${base}:${name}`
  const reference = parseReference(name)
  const path = familiarName({ ...reference, registry: 'docker.io' })
  return `${base}/${path}:${reference.tag ?? 'latest'}`
}

/**
 * What sends layers ahead to where {@link push} will send the image, of an archive that comes through a pipe. To each
 * registry they go once: to the first repository that is named.
 *
 * @param references as the user wrote them
 * @param selection with which the image will be pushed
 * @returns undefined where layers are not sent as they come: with a dry run, with one of several images, with a
 * compression of the user's choice
 * @throws ContentError `bad-reference`
 */
export function pushAhead(
  references: readonly string[],
  client: RegistryClient,
  context: Context,
  selection: PushSelection & CopyOptions,
): PushAhead | undefined {
  const targets = targetsOf(references.map(parseReference))
  const { dryRun = false, image, platform, conversion, jobs = DEFAULT_JOBS } = selection
  const { algorithm = 'auto', level } = conversion?.compression ?? {}
  const isPlain = (algorithm === 'auto' || algorithm === 'gzip') && level === undefined
  if (dryRun || image !== undefined || platform !== undefined || !isPlain) return undefined
  const first = new Map([...targets].reverse().map(target => [target.registry, target]))
  return new PushAhead(
    [...first.values()].map(target => sinkOf(target, client)),
    'standard input',
    context,
    jobs,
  )
}

function sinkOf({ registry, name }: PushTarget, client: RegistryClient): Repository {
  return client.repository(registry, name).forWriting()
}

function targetsOf(references: readonly Reference[]): PushTarget[] {
  const targets = new Map<string, PushTarget & { tags: string[] }>()
  for (const reference of references) {
    const repository = repositoryOf(reference)
    const target = targets.get(repository) ?? {
      repository,
      registry: reference.registry,
      name: reference.repository,
      tags: [],
    }
    const tag = reference.tag ?? (reference.digest === undefined ? 'latest' : undefined)
    if (tag !== undefined && !target.tags.includes(tag)) target.tags.push(tag)
    targets.set(repository, target)
  }
  return [...targets.values()]
}

/**
 * Pushes one image to its repositories. The file is read once, and each registry gets every blob once: a second
 * repository on it mounts what the first one got. A target that fails does not stop the others, and an image that can't
 * be read fails for each of its targets: nothing is thrown.
 *
 * @param selection `ahead` is what was sent of the image already
 */
export async function push(
  { image, targets }: ImagePush,
  client: RegistryClient,
  context: Context,
  { ahead, ...selection }: PushSelection & CopyOptions & { ahead?: PushAhead | undefined } = {},
): Promise<PushResult[]> {
  try {
    const { source, root } = await chooseRoot(image, selection, context)
    await using chosen = convert(source, image, selection.conversion ?? {})
    const copyTargets: CopyTarget[] = targets.map(target => {
      const sink = sinkOf(target, client)
      return { sink, tags: target.tags, group: target.registry, ahead: ahead?.blobsTo(sink.label) }
    })
    const result = await copy(chosen.source, root, copyTargets, context, selection)
    return result.targets.map((ended, position) => ({
      ...ended,
      target: targets[position] as PushTarget,
      root: result.root,
    }))
  } catch (error) {
    const nothing = { copied: 0, mounted: 0, exists: 0, skipped: 0, bytes: 0, changed: false }
    return targets.map(target => ({ ...nothing, label: target.repository, target, root: undefined, error }))
  }
}

async function chooseRoot(image: ImageEntry, selection: PushSelection, context: Context): Promise<Root> {
  const root: Root = { source: image.source, root: image.root }
  if (selection.platform !== undefined) return await platformRoot(root, selection.platform, context)
  // Only an image whose digest is known beforehand can be an index with parts missing.
  if (image.digest === undefined) return root
  return await presentRoot(root, context, selection)
}

/** The source, converted if that is asked for. Disposing frees what the conversion made, and not the source. */
function convert(
  source: Source,
  image: ImageEntry,
  conversion: Conversion,
): { source: Source } & AsyncDisposable {
  const algorithm = conversion.compression?.algorithm ?? 'keep'
  const changesLayers = algorithm === 'gzip' || algorithm === 'zstd'
  if (image.digest === undefined || (!changesLayers && conversion.format === undefined)) {
    return { source, [Symbol.asyncDispose]: async () => {} }
  }
  const converted = new ConvertedSource(source, conversion)
  return { source: converted, [Symbol.asyncDispose]: () => converted[Symbol.asyncDispose]() }
}

/**
 * The digest that an image would have in a registry.
 *
 * @throws RegctlError when the image can't be read
 */
export async function pushedDigest(
  image: ImageEntry,
  selection: PushSelection,
  context: Context,
): Promise<Descriptor> {
  const { source, root } = await chooseRoot(image, selection, context)
  await using chosen = convert(source, image, selection.conversion ?? {})
  return (await chosen.source.getManifest(root, context)).descriptor
}
