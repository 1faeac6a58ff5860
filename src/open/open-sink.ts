import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Writable } from 'node:stream'
import { type Reference, repositoryOf } from '../content/reference.js'
import type { Sink } from '../content/store.js'
import { MANIFEST_JSON } from '../docker-archive/manifest-json.js'
import { writeManifestJson } from '../docker-archive/write-manifest-json.js'
import { DirSink } from '../layout/dir-sink.js'
import { type LayoutArchiveOptions, LayoutArchiveSink } from '../layout/layout-archive-sink.js'
import { LayoutStore } from '../layout/layout-store.js'
import type { RegistryClient } from '../registry/client.js'
import { type ImageName, nameInFile } from './archive-names.js'
import { type FileFormat, type LocalLocator, LocationError, type Locator } from './location.js'

/** Where a copy writes to. Disposing disposes of the sink. */
export interface OpenedSink extends AsyncDisposable {
  sink: Sink
  /** The tags that the locator names. */
  tags: readonly string[]
  /** For {@link copy}: targets of one registry have the same. */
  group?: string
}

/** What {@link openSink} takes besides the locator. */
export interface SinkOptions {
  client: RegistryClient
  /** Written where the locator is `-`. */
  stdout: Writable
  /** For a path whose locator states none. Default: an OCI layout for a folder, a docker-archive for a file. */
  format?: FileFormat | undefined
  /**
   * The full name that tags belong to in an archive or layout (`docker.io/acme/app`), unless the locator of a
   * docker-archive names another. Without one they are tags alone.
   */
  repository?: string | undefined
  /**
   * The user's folder for caches: what was downloaded for an archive or a `dir` folder is kept there when a run comes to
   * no end, for the next one. Default: nothing is kept.
   */
  cacheFolder?: string | undefined
}

/**
 * Opens what a locator names for writing.
 *
 * @throws LocationError `stdout-is-terminal`, `not-a-stream`, `format-conflict`; what the store throws
 */
export async function openSink(locator: Locator, options: SinkOptions): Promise<OpenedSink> {
  if (locator.kind === 'registry') {
    const { reference } = locator
    const sink = options.client.repository(reference.registry, reference.repository).forWriting()
    return opened(sink, namesOf(reference).tags, reference.registry)
  }
  const format = await formatFor(locator, options.format)
  const names = statedNames(locator, format)
  const repository = names === undefined ? options.repository : names.repository
  const sink = await openImageSink(locator, { ...options, format, repository })
  return opened(sink, names?.tags ?? [])
}

/** What {@link openImageSink} takes besides the locator. */
export type ImageSinkOptions = Pick<SinkOptions, 'stdout' | 'repository' | 'cacheFolder'> & {
  format: FileFormat
}

/**
 * Opens a local file, folder or standard output for writing.
 *
 * @param options `format` as {@link formatFor} tells it
 * @throws LocationError `stdout-is-terminal`, `not-a-stream`; what the store throws
 */
export async function openImageSink(
  locator: LocalLocator,
  { stdout, format, repository, cacheFolder }: ImageSinkOptions,
): Promise<LayoutStore | DirSink | LayoutArchiveSink> {
  if (locator.kind === 'stdio') checkOutput(stdout, format)
  else if (format === 'oci')
    return await LayoutStore.open(locator.path, { create: true, keepUntagged: false, repository })
  else if (format === 'dir') return await DirSink.open(locator.path, cacheFolder)
  const target = locator.kind === 'stdio' ? stdout : locator.path
  return await LayoutArchiveSink.open(target, { repository, cacheFolder, ...archiveOptions(format) })
}

/** The format in which a locator is written: what it states, what was asked for, or what its path looks like. */
export async function formatFor(locator: LocalLocator, asked: FileFormat | undefined): Promise<FileFormat> {
  if (locator.format !== undefined && asked !== undefined && locator.format !== asked) {
    throw new LocationError(`the destination is to be ${locator.format} and ${asked} at once`, {
      kind: 'usage',
      code: 'format-conflict',
      hint: 'Leave out `--format`, or the prefix of the destination',
    })
  }
  const stated = locator.format ?? asked
  if (stated !== undefined) return stated
  return locator.kind === 'file' && (await isFolder(locator.path)) ? 'oci' : 'docker-archive'
}

/**
 * The names that a locator gives to an image; see {@link nameInFile}.
 *
 * @returns undefined when it names none
 * @throws ContentError `bad-reference`
 */
export function statedNames(locator: LocalLocator, format: FileFormat): ImageName | undefined {
  const image = locator.kind === 'file' ? locator.image : undefined
  return image === undefined ? undefined : nameInFile(image, format, { tags: [] })
}

/** The repository and tags of a reference: `latest` where it has neither a tag nor a digest. */
export function namesOf(reference: Reference): ImageName {
  const tag = reference.tag ?? (reference.digest === undefined ? 'latest' : undefined)
  return { repository: repositoryOf(reference), tags: tag === undefined ? [] : [tag] }
}

function checkOutput(stdout: Writable, format: FileFormat): void {
  if (format === 'oci' || format === 'dir') {
    throw new LocationError(`${format} is a folder, which can't go to standard output`, {
      kind: 'usage',
      code: 'not-a-stream',
      hint: 'Choose `--format docker-archive` or `--format oci-archive`',
    })
  }
  if ((stdout as Partial<NodeJS.WriteStream>).isTTY !== true) return
  throw new LocationError('standard output is a terminal, and no place for an image', {
    kind: 'usage',
    code: 'stdout-is-terminal',
    hint: 'Name a file, or pipe it: `regctl pull REF - | docker load`',
  })
}

/** A docker-archive is an OCI archive that has a manifest.json as well, as Docker 25 and newer write it. */
function archiveOptions(format: FileFormat): LayoutArchiveOptions {
  if (format !== 'docker-archive') return {}
  return {
    addFiles: async (layout, entries, context) =>
      new Map([[MANIFEST_JSON, await writeManifestJson(layout, entries, context)]]),
  }
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
