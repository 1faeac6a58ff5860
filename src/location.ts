import { access } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { openArchive, openArchiveStream } from './archive/open-archive.js'
import type { ImageFile } from './content/image-file.js'
import { parseReference, type Reference } from './content/reference.js'
import type { Context } from './content/store.js'
import { hasCompressedLayers, openDockerArchive } from './docker-archive/docker-archive.js'
import type { DockerArchiveOptions } from './docker-archive/docker-archive-source.js'
import { MANIFEST_JSON } from './docker-archive/manifest-json.js'
import { RegctlError } from './errors.js'
import { openDir } from './layout/dir-source.js'
import { openLayout } from './layout/layout-source.js'
import type { FileSet } from './tar/file-set.js'

/** Where an image can be: in a registry, on disk, or at standard input or output. */
export type Locator =
  | { kind: 'registry'; reference: Reference }
  | { kind: 'file'; path: string; format?: FileFormat; image?: string }
  | { kind: 'stdio'; format?: FileFormat }

/** The formats of images on disk, with skopeo's names. */
export type FileFormat = 'docker-archive' | 'oci-archive' | 'oci' | 'dir'

/** A locator can't be read, or what it names is not there or is no image. */
export class LocationError extends RegctlError {}

/**
 * Reads a locator. The formats with a prefix are skopeo's; `./`, `../` and `/` begin a path; `-` is standard input or
 * output. What else there is, is `otherwise`, except that a file or folder of that name counts as a path.
 *
 * @throws ContentError `bad-reference` when it is a reference that is malformed
 * @example
 * await parseLocator('oci:out:1.0', 'registry') // { kind: 'file', path: 'out', format: 'oci', image: '1.0' }
 */
export async function parseLocator(text: string, otherwise: 'file' | 'registry'): Promise<Locator> {
  if (text === '-') return { kind: 'stdio' }
  const prefixed = /^(docker-archive|oci-archive|oci|dir):(.+)$/s.exec(text)
  if (prefixed !== null) return parsePrefixed(prefixed[1] as FileFormat, prefixed[2] as string)
  if (text.startsWith('docker://')) return { kind: 'registry', reference: parseReference(text) }
  if (/^(?:\.{0,2}\/|\.{1,2}$)/.test(text) || otherwise === 'file' || (await exists(text))) {
    return { kind: 'file', path: text }
  }
  return { kind: 'registry', reference: parseReference(text) }
}

function parsePrefixed(format: FileFormat, rest: string): Locator {
  if (rest === '-') return { kind: 'stdio', format }
  if (format === 'dir') return { kind: 'file', path: rest, format }
  // A drive letter's colon belongs to the path.
  const colon = rest.indexOf(':', /^[A-Za-z]:[\\/]/.test(rest) ? 2 : 0)
  if (colon < 0) return { kind: 'file', path: rest, format }
  return { kind: 'file', path: rest.slice(0, colon), format, image: rest.slice(colon + 1) }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

/** What {@link openImageFile} takes besides the locator. */
export interface OpenOptions extends DockerArchiveOptions {
  /** Read where the locator is `-`. */
  stdin: Readable
}

/**
 * Opens a local file or folder that holds images; its format is found by looking inside. A file with both faces, as
 * Docker 25 and newer save, is an OCI layout where its layers are compressed, and a docker-archive where they are
 * plain tars.
 *
 * @returns a file that the caller disposes
 * @throws RegctlError when it is not there, is no image or is broken
 */
export async function openImageFile(
  locator: Exclude<Locator, { kind: 'registry' }>,
  context: Context,
  options: OpenOptions,
): Promise<ImageFile> {
  const archiveOptions = { signal: context.signal }
  const files =
    locator.kind === 'stdio'
      ? await openArchiveStream(options.stdin, 'standard input', archiveOptions)
      : await openArchive(locator.path, archiveOptions)
  try {
    const format = locator.format === undefined ? await detectFormat(files) : FORMATS[locator.format]
    if (format === 'docker-archive') return await openDockerArchive(files, options)
    return format === 'dir' ? await openDir(files, context) : await openLayout(files, context)
  } catch (error) {
    await files[Symbol.asyncDispose]()
    throw error
  }
}

const FORMATS = {
  'docker-archive': 'docker-archive',
  'oci-archive': 'oci-layout',
  oci: 'oci-layout',
  dir: 'dir',
} as const

async function detectFormat(files: FileSet): Promise<'docker-archive' | 'oci-layout' | 'dir'> {
  const has = async (name: string) => (await files.stat(name)) !== undefined
  const isLayout = (await has('index.json')) || (await has('oci-layout'))
  if (await has(MANIFEST_JSON)) {
    if (await isDirFormat(files)) return 'dir'
    return isLayout && (await hasCompressedLayers(files)) ? 'oci-layout' : 'docker-archive'
  }
  if (isLayout) return 'oci-layout'
  throw notAnImage(files)
}

async function isDirFormat(files: FileSet): Promise<boolean> {
  if ((await files.stat('version')) === undefined) return false
  return new TextDecoder()
    .decode(await files.read('version', 0, 64))
    .startsWith('Directory Transport Version')
}

function notAnImage(files: FileSet): LocationError {
  const names = [...files.names()]
  if (
    names.some(name =>
      /^(?:repositories|[0-9a-f]{64}\.json|blobs\/sha(?:256|512)\/.*|.*\/layer\.tar)$/.test(name),
    )
  ) {
    return new LocationError(
      `${files.label} has parts of an image, but neither manifest.json nor index.json`,
      {
        kind: 'corrupt',
        code: 'missing-manifest',
        hint: 'The file seems to be cut off: save the image again',
      },
    )
  }
  const inside = names
    .map(name => /^(.+)\/(?:manifest\.json|oci-layout)$/.exec(name)?.[1])
    .find(folder => folder !== undefined)
  const isRootFileSystem = names.some(name => /^(?:etc|usr|bin|sbin|lib)\//.test(name))
  return new LocationError(`${files.label} is not an image: it has neither manifest.json nor index.json`, {
    kind: 'corrupt',
    code: 'not-an-image',
    hint:
      inside !== undefined
        ? `There is one in its folder ${inside}: pack that folder's content instead`
        : isRootFileSystem
          ? 'It looks like a file system, as `docker export` writes it: use `docker save`'
          : 'Images are written by `docker save`, `podman save`, `skopeo copy` and `docker buildx build -o type=oci`',
  })
}
