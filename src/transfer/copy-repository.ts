import { subjectOfDigestTag } from '../content/digest-tags.js'
import type { ImageFile } from '../content/image-file.js'
import { isTag, parseReference, type Reference, repositoryOf } from '../content/reference.js'
import type { Context } from '../content/store.js'
import type { Root } from '../copy/derived-source.js'
import { LocationError, type Locator } from '../open/location.js'
import { openImageFile } from '../open/open-image-file.js'
import { type NameSelection, nameFilter } from '../tags/tag-patterns.js'
import { checkDestinations, type Destination, openDestinations } from './copy-destinations.js'
import type { LocatorCopyOptions } from './copy-image.js'
import { chooseRoot, copyRoot, failedResult, type ImageCopyResult } from './copy-root.js'

/** How many tags are copied at once: their blobs are many, and their manifests are waited for. */
const TAGS_AT_ONCE = 4

/** What {@link RepositoryCopy} takes besides its ends. */
export interface RepositoryCopyOptions extends LocatorCopyOptions, NameSelection {}

/** How the copy of one tag ended. */
export interface TagCopyResult {
  tag: string
  /** In the order of the destinations. */
  targets: readonly ImageCopyResult[]
}

/** An image with one of its tags. */
interface TaggedImage extends Root {
  tag: string
}

/**
 * A copy of all tags of a repository, or of all images of a file, to other repositories or files. The tags by which
 * cosign and registries without a list of referrers find what refers to an image are no images: what they name is
 * copied with `referrers`, as far as it refers to something that is copied.
 *
 * @example
 * await using copying = await RepositoryCopy.open(from, [to], context, { client, stdin, stdout, include: ['1.*'] })
 * for await (const { tag, targets } of copying.run()) console.log(tag, targets[0]?.root?.digest)
 */
export class RepositoryCopy implements AsyncDisposable {
  private constructor(
    readonly destinations: readonly Destination[],
    private readonly images: () => AsyncIterable<TaggedImage>,
    private readonly file: ImageFile | undefined,
    private readonly context: Context,
    private readonly options: RepositoryCopyOptions,
  ) {}

  /**
   * Opens both ends.
   *
   * @throws LocationError `not-a-repository`, of kind `usage`, when one image is named; RegctlError `bad-pattern`; what
   * opening the source throws
   */
  static async open(
    from: Locator,
    to: readonly Locator[],
    context: Context,
    options: RepositoryCopyOptions,
  ): Promise<RepositoryCopy> {
    for (const locator of [from, ...to]) refuseOne(locator)
    await checkDestinations(to, options)
    const isWanted = nameFilter(options)
    const { client, stdin } = options
    const file = from.kind === 'registry' ? undefined : await openImageFile(from, context, { stdin })
    const images = async function* (): AsyncGenerator<TaggedImage> {
      if (from.kind !== 'registry') {
        yield* imagesOf(file, isWanted, context)
        return
      }
      const source = client.repository(from.reference.registry, from.reference.repository)
      for await (const tag of source.listTags(context)) {
        if (isWanted(tag) && !isReferrersTag(tag)) yield { tag, source, root: tag }
      }
    }
    const repository = from.kind === 'registry' ? repositoryOf(from.reference) : repositoryIn(file)
    const brought = { ...(repository !== undefined && { repository }), tags: [] }
    const destinations = await openDestinations(to, brought, options)
    return new RepositoryCopy(destinations, images, file, context, options)
  }

  /**
   * Copies a few tags at once and tells of each, in the order of the list. A tag that fails does not stop the others.
   *
   * @throws what the list of tags breaks off with, and what finishing an archive throws, after everything else
   */
  async *run(): AsyncGenerator<TagCopyResult> {
    const pending: Promise<TagCopyResult>[] = []
    const done = new Set<string>()
    let broken: { error: unknown } | undefined
    try {
      for await (const image of this.images()) {
        this.context.signal.throwIfAborted()
        pending.push(this.#copyTag(image))
        if (pending.length >= TAGS_AT_ONCE) yield* this.#next(pending, done)
      }
    } catch (error) {
      broken = { error }
    }
    while (pending.length > 0) yield* this.#next(pending, done)
    if (this.options.dryRun !== true) {
      for (const { label, opened } of this.destinations)
        if (done.has(label)) await opened?.sink.commit(this.context)
    }
    if (broken !== undefined) throw broken.error
  }

  async *#next(pending: Promise<TagCopyResult>[], done: Set<string>): AsyncGenerator<TagCopyResult> {
    const result = await pending.shift()
    if (result === undefined) return
    for (const { error, label } of result.targets) if (error === undefined) done.add(label)
    yield result
  }

  async #copyTag({ tag, source, root }: TaggedImage): Promise<TagCopyResult> {
    const destinations = this.destinations.map(destination => ({ ...destination, tags: [tag] }))
    try {
      const isRemote = this.file === undefined
      const chosen = await chooseRoot({ source, root }, isRemote, this.options, this.context)
      // An archive is finished once, when everything is in it.
      const options = { ...this.options, commit: false }
      return { tag, targets: await copyRoot(chosen, destinations, this.context, options) }
    } catch (error) {
      return { tag, targets: destinations.map(destination => failedResult(destination, error)) }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { opened } of this.destinations) await opened?.[Symbol.asyncDispose]()
    await this.file?.[Symbol.asyncDispose]()
  }
}

function refuseOne(locator: Locator): void {
  const { tag, digest } = locator.kind === 'registry' ? locator.reference : {}
  const image = locator.kind === 'file' ? locator.image : undefined
  if (tag === undefined && digest === undefined && image === undefined) return
  throw new LocationError('all tags are copied from repository to repository, but this names one image', {
    kind: 'usage',
    code: 'not-a-repository',
    hint: `Leave out \`${image ?? digest ?? tag}\``,
  })
}

/** Whether a tag is there for what refers to an image: cosign's, or one for a list of referrers (rules R78, R193). */
function isReferrersTag(tag: string): boolean {
  return subjectOfDigestTag(tag) !== undefined || /^sha(?:256|512)-[0-9a-f]{64}$/.test(tag)
}

/** @throws LocationError `several-repositories` when two images have the same tag */
function* imagesOf(
  file: ImageFile | undefined,
  isWanted: (name: string) => boolean,
  context: Context,
): Generator<TaggedImage> {
  const seen = new Set<string>()
  for (const { names, root, source, digest } of file?.images ?? []) {
    const tags = new Set(names.flatMap(name => tagOf(name) ?? []))
    if (tags.size === 0) {
      const message = `${file?.label} has an image without a tag, ${digest ?? root}: it is left out`
      context.emit({ type: 'warning', message })
    }
    for (const tag of tags) {
      if (!isWanted(tag) || isReferrersTag(tag)) continue
      if (seen.has(tag)) {
        throw new LocationError(`${file?.label} has several images with the tag ${tag}`, {
          kind: 'usage',
          code: 'several-repositories',
          hint: 'Use `regctl push --all`, which puts each under its own name',
        })
      }
      seen.add(tag)
      yield { tag, source, root }
    }
  }
}

/** The tag of a name as a file has it; undefined where the name is no reference. */
function tagOf(name: string): string | undefined {
  if (isTag(name)) return name
  const reference = referenceOf(name)
  return reference && (reference.tag ?? 'latest')
}

/** The repository that the names of a file are of; undefined where they are tags alone. */
function repositoryIn(file: ImageFile | undefined): string | undefined {
  const names = file?.images.flatMap(image => image.names).filter(name => !isTag(name)) ?? []
  const [reference] = names.flatMap(name => referenceOf(name) ?? [])
  return reference && repositoryOf(reference)
}

function referenceOf(name: string): Reference | undefined {
  try {
    return parseReference(name)
  } catch {
    // In a layout a name can be anything at all.
    return undefined
  }
}
