import type { Descriptor } from '../content/descriptor.js'
import type { Context, Sink, Source } from '../content/store.js'
import { copy } from '../copy/copy.js'
import { InterruptedError } from '../errors.js'
import type { LayoutStore } from '../layout/layout-store.js'
import type { Locator } from '../open/location.js'
import { openLayoutOf } from '../open/open-layout.js'
import { openSource, type SourceOptions } from '../open/open-source.js'
import type { RegistryClient } from '../registry/client.js'
import type { Repository } from '../registry/repository.js'
import { MountingSink } from './mounting-sink.js'
import { parseTagNames, TagError, type TagName } from './tag-names.js'

/** Where tags are put. */
type TagSink = LayoutStore | Repository | MountingSink

/** What {@link tagImage} takes besides the names. */
export interface TagOptions extends Omit<SourceOptions, 'platform'> {
  /** Refuse a tag that stands for something else already. Default false. */
  noOverwrite?: boolean | undefined
  /** Only look. Default false. */
  dryRun?: boolean | undefined
}

/** What became of one new name. */
export interface TagResult extends TagName {
  /** `unchanged`: it stood for this image already. Undefined when it failed. */
  state: 'tagged' | 'unchanged' | undefined
  /** Undefined when the name is in place; with `dryRun`: when nothing is known to be in its way. */
  error: unknown
}

/**
 * Gives an image new names where it is, without transferring anything: in its repository, in another one of the same
 * registry, which mounts its blobs, or in its layout. A name that fails does not stop the others.
 *
 * @returns the image, and what became of each name in the order given
 * @throws RegctlError when the image can't be read, or a name can't be given at all
 */
export async function tagImage(
  locator: Locator,
  names: readonly string[],
  context: Context,
  options: TagOptions,
): Promise<{ descriptor: Descriptor; results: TagResult[] }> {
  const parsed = parseTagNames(locator, names)
  const layout = locator.kind === 'registry' ? undefined : await openLayoutOf(locator)
  await using opened = await openSource(locator, context, options)
  const manifest = await opened.source.getManifest(opened.root, context)
  const { descriptor } = manifest
  const results: TagResult[] = []
  for (const name of parsed) {
    const sink = layout ?? repositoryOf(locator, name, options.client)
    const write =
      sink instanceof MountingSink
        ? () => mount(opened.source, descriptor, sink, name.tag, context)
        : () => sink.putManifest(manifest, [name.tag], context)
    results.push({ ...name, ...(await tagOne(sink, descriptor, name.tag, write, context, options)) })
  }
  return { descriptor, results }
}

/** Beside the image everything is there already; another repository must mount it first. */
function repositoryOf(locator: Locator, { repository }: TagName, client: RegistryClient): TagSink {
  if (locator.kind !== 'registry' || repository === undefined)
    throw new Error('unreachable: a name outside a layout is in a registry')
  const { reference } = locator
  const sink = client.repository(reference.registry, repository).forWriting()
  return repository === reference.repository ? sink : new MountingSink(sink)
}

async function mount(
  source: Source,
  { digest }: Descriptor,
  sink: Sink,
  tag: string,
  context: Context,
): Promise<void> {
  const { targets } = await copy(source, digest, [{ sink, tags: [tag] }], context)
  if (targets[0]?.error !== undefined) throw targets[0].error
}

async function tagOne(
  sink: TagSink,
  image: Descriptor,
  tag: string,
  write: () => Promise<void>,
  context: Context,
  { noOverwrite, dryRun }: TagOptions,
): Promise<Pick<TagResult, 'state' | 'error'>> {
  try {
    const found = await sink.statManifest(tag, context)
    if (found?.digest === image.digest) return { state: 'unchanged', error: undefined }
    if (found !== undefined && noOverwrite === true) throw tagExists(sink, tag, found)
    if (dryRun !== true) await write()
    return { state: 'tagged', error: undefined }
  } catch (error) {
    if (context.signal.aborted) throw new InterruptedError(undefined, error)
    return { state: undefined, error }
  }
}

function tagExists(sink: Sink, tag: string, found: Descriptor): TagError {
  return new TagError(`${sink.label} has the tag ${tag} already: it is ${found.digest}`, {
    kind: 'failed',
    code: 'tag-exists',
    hint: 'Choose another tag, or leave out `--no-overwrite`',
  })
}
