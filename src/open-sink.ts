import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Writable } from 'node:stream'
import type { Sink } from './content/store.js'
import { MANIFEST_JSON } from './docker-archive/manifest-json.js'
import { writeManifestJson } from './docker-archive/write-manifest-json.js'
import { DirSink } from './layout/dir-sink.js'
import { type LayoutArchiveOptions, LayoutArchiveSink } from './layout/layout-archive-sink.js'
import { LayoutStore } from './layout/layout-store.js'
import type { FileFormat, LocalLocator, Locator } from './location.js'
import type { RegistryClient } from './registry/client.js'

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
  /** The full name that tags belong to in an archive (`docker.io/acme/app`). Without one they are tags alone. */
  repository?: string | undefined
}

/**
 * Opens what a locator names for writing.
 *
 * @throws what the store throws
 */
export async function openSink(locator: Locator, options: SinkOptions): Promise<OpenedSink> {
  if (locator.kind === 'registry') {
    const { reference } = locator
    const sink = options.client.repository(reference.registry, reference.repository)
    const tag = reference.tag ?? (reference.digest === undefined ? 'latest' : undefined)
    return opened(sink, tag === undefined ? [] : [tag], reference.registry)
  }
  const tags = locator.kind === 'file' && locator.image !== undefined ? [locator.image] : []
  const format = await formatFor(locator, options.format)
  const target = locator.kind === 'stdio' ? options.stdout : locator.path
  if (typeof target === 'string' && format === 'oci') {
    return opened(await LayoutStore.open(target, { create: true, keepUntagged: false }), tags)
  }
  if (typeof target === 'string' && format === 'dir') return opened(await DirSink.open(target), tags)
  return opened(await LayoutArchiveSink.open(target, archiveOptions(format, options.repository)), tags)
}

/** The format in which a locator is written: what it states, what was asked for, or what its path looks like. */
export async function formatFor(locator: LocalLocator, asked: FileFormat | undefined): Promise<FileFormat> {
  const stated = locator.format ?? asked
  if (stated !== undefined) return stated
  return locator.kind === 'file' && (await isFolder(locator.path)) ? 'oci' : 'docker-archive'
}

/** A docker-archive is an OCI archive that has a manifest.json as well, as Docker 25 and newer write it. */
function archiveOptions(format: FileFormat, repository: string | undefined): LayoutArchiveOptions {
  return {
    ...(repository !== undefined && { repository }),
    ...(format === 'docker-archive' && {
      addFiles: async (layout, entries, context) =>
        new Map([[MANIFEST_JSON, await writeManifestJson(layout, entries, repository ?? 'image', context)]]),
    }),
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
