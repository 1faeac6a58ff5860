import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { repositoryOf, tagOrDigest } from './content/reference.js'
import type { Context, Sink } from './content/store.js'
import type { Root } from './copy/derived-source.js'
import { selectImage } from './image-selection.js'
import { DirSink } from './layout/dir-sink.js'
import { LayoutArchiveSink } from './layout/layout-archive-sink.js'
import { LayoutStore } from './layout/layout-store.js'
import { type FileFormat, LocationError, type Locator } from './location.js'
import { openImageFile } from './open-image-file.js'
import type { RegistryClient } from './registry/client.js'

/** Where a copy reads from: the root with its source, and the image's names there. */
export interface OpenedSource extends Root, AsyncDisposable {
  /** The tags of the root, as far as they are known: those that the locator names. */
  tags: readonly string[]
}

/** Where a copy writes to. Disposing disposes of the sink. */
export interface OpenedSink extends AsyncDisposable {
  sink: Sink
  /** The tags that the locator names. */
  tags: readonly string[]
  /** For {@link copy}: targets of one registry have the same. */
  group?: string
}

/**
 * Opens what a locator names for reading.
 *
 * @param image picks an image of a file that holds several
 * @throws RegctlError when it is not there or is no image
 */
export async function openSource(
  locator: Locator,
  context: Context,
  options: { client: RegistryClient; stdin: Readable; image?: string },
): Promise<OpenedSource> {
  if (locator.kind === 'registry') {
    const { reference } = locator
    const source = options.client.repository(reference.registry, reference.repository)
    const tag = reference.tag ?? (reference.digest === undefined ? 'latest' : undefined)
    return {
      source,
      root: tagOrDigest(reference),
      tags: tag === undefined ? [] : [tag],
      [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
    }
  }
  const file = await openImageFile(locator, context, options)
  try {
    const { source, root } = selectImage(
      file,
      options.image ?? (locator.kind === 'file' ? locator.image : undefined),
    )
    return { source, root, tags: [], [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() }
  } catch (error) {
    await file[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * Opens what a locator names for writing.
 *
 * @param format for a path whose locator states none; by default a folder is an OCI layout, and a file an OCI archive
 * @throws LocationError `several-roots`; what the store throws
 */
export async function openSink(
  locator: Locator,
  options: { client: RegistryClient; stdout: Writable; format?: FileFormat | undefined },
): Promise<OpenedSink> {
  if (locator.kind === 'registry') {
    const { reference } = locator
    const sink = options.client.repository(reference.registry, reference.repository)
    const tag = reference.tag ?? (reference.digest === undefined ? 'latest' : undefined)
    return opened(sink, tag === undefined ? [] : [tag], reference.registry)
  }
  if (locator.kind === 'stdio') return opened(await LayoutArchiveSink.open(options.stdout), [])
  const format = locator.format ?? options.format ?? ((await isFolder(locator.path)) ? 'oci' : 'oci-archive')
  const tags = locator.image === undefined ? [] : [locator.image]
  if (format === 'oci') return opened(await LayoutStore.open(locator.path, { create: true }), tags)
  if (format === 'dir') return opened(await DirSink.open(locator.path), tags)
  if (format === 'oci-archive') return opened(await LayoutArchiveSink.open(locator.path), tags)
  throw new LocationError(`writing ${format} is not offered`, { kind: 'usage', code: 'bad-format' })
}

function opened(sink: Sink, tags: readonly string[], group?: string): OpenedSink {
  return {
    sink,
    tags,
    ...(group !== undefined && { group }),
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  }
}

/** A path that is a folder, or would be: it ends with a slash or has no extension. */
async function isFolder(path: string): Promise<boolean> {
  const status = await stat(path).catch(() => undefined)
  if (status !== undefined) return status.isDirectory()
  return /[/\\]$/.test(path) || extname(path) === ''
}

/** `host/repository` of a registry's locator; the path of another one. For messages. */
export function labelOf(locator: Locator): string {
  if (locator.kind === 'registry') return repositoryOf(locator.reference)
  return locator.kind === 'stdio' ? '-' : locator.path
}
