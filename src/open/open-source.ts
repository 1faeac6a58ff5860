import type { Readable } from 'node:stream'
import type { Platform } from '../content/descriptor.js'
import { isIndexType } from '../content/media-types.js'
import { hostPlatform } from '../content/platform.js'
import { formatReference, type Reference, repositoryOf, tagOrDigest } from '../content/reference.js'
import type { Context, Store } from '../content/store.js'
import type { Root } from '../copy/derived-source.js'
import { platformRoot } from '../copy/platform-root.js'
import type { RegistryClient } from '../registry/client.js'
import { selectImage } from './image-selection.js'
import { LocationError, type Locator } from './location.js'
import { openImageFile } from './open-image-file.js'

/** What is read from: the root with its source, and the image's names there. */
export interface OpenedSource extends Root, AsyncDisposable {
  /** The tags of the root, as far as they are known: those that the locator names. */
  tags: readonly string[]
  /** The names of an image on disk as its file has them: full references, or tags alone. Empty for a registry's. */
  names: readonly string[]
}

/** What {@link openSource} takes besides the locator. */
export interface SourceOptions {
  client: RegistryClient
  /** Read where the locator is `-`. */
  stdin: Readable
  /** Picks an image of a file that holds several; see `selectImage`. */
  image?: string | undefined
  /**
   * Picks this platform's image of an index. `host` picks that for this machine's containers, and takes a single image
   * as it is. Default: the root is what is named, be it an index or not.
   */
  platform?: Platform | 'host' | undefined
  /** Refuse a `name:tag@digest` whose tag is not that digest any more, instead of a warning. Default false. */
  checkTag?: boolean | undefined
  /** The user's folder for caches; see `DockerArchiveOptions`. Default: nothing is remembered. */
  cacheFolder?: string | undefined
}

/**
 * Opens what a locator names for reading.
 *
 * @throws RegctlError when it is not there or is no image; LocationError `tag-moved`
 */
export async function openSource(
  locator: Locator,
  context: Context,
  options: SourceOptions,
): Promise<OpenedSource> {
  const opened = await openWhole(locator, context, options)
  if (options.platform === undefined) return opened
  try {
    return { ...opened, ...(await choosePlatform(opened, options.platform, context)) }
  } catch (error) {
    await opened[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * The image of a root for a platform; see {@link SourceOptions.platform}.
 *
 * @throws CopyError `no-such-platform`, `too-deep`
 */
export async function choosePlatform(
  root: Root,
  platform: Platform | 'host',
  context: Context,
): Promise<Root> {
  if (platform !== 'host') return await platformRoot(root, platform, context)
  // A single image, whose manifest would be made only to see that.
  if (root.source.openContents !== undefined) return root
  const { descriptor } = await root.source.getManifest(root.root, context)
  return isIndexType(descriptor.mediaType) ? await platformRoot(root, hostPlatform(), context) : root
}

async function openWhole(locator: Locator, context: Context, options: SourceOptions): Promise<OpenedSource> {
  if (locator.kind === 'registry') {
    const { reference } = locator
    const { registry, repository } = reference
    const source = options.client.repository(registry, repository, { mirrors: true })
    await checkTag(source, reference, context, options.checkTag ?? false)
    const tag = reference.tag ?? (reference.digest === undefined ? 'latest' : undefined)
    return {
      source,
      root: tagOrDigest(reference),
      tags: tag === undefined ? [] : [tag],
      names: [],
      [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
    }
  }
  const file = await openImageFile(locator, context, options)
  try {
    const selector = options.image ?? (locator.kind === 'file' ? locator.image : undefined)
    const { source, root, names } = selectImage(file, selector)
    return { source, root, tags: [], names, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() }
  } catch (error) {
    await file[Symbol.asyncDispose]()
    throw error
  }
}

/** Of a tag and a digest the digest counts (rule R142); that the tag is another one by now is worth saying. */
async function checkTag(
  repository: Store,
  reference: Reference,
  context: Context,
  isStrict: boolean,
): Promise<void> {
  const { tag, digest } = reference
  if (tag === undefined || digest === undefined) return
  const found = await repository.statManifest(tag, context)
  if (found?.digest === digest) return
  const name = formatReference({ registry: reference.registry, repository: reference.repository, tag })
  const message =
    found === undefined
      ? `there is no tag ${name} any more`
      : `${name} is ${found.digest} by now, not ${digest}`
  if (isStrict) throw new LocationError(message, { kind: 'failed', code: 'tag-moved' })
  context.emit({ type: 'warning', message: `${message}: the digest counts` })
}

/** `host/repository` of a registry's locator; the path of another one. For messages. */
export function labelOf(locator: Locator): string {
  if (locator.kind === 'registry') return repositoryOf(locator.reference)
  return locator.kind === 'stdio' ? '-' : locator.path
}
