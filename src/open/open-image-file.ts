import type { Readable } from 'node:stream'
import { openArchive, openArchiveStream } from '../archive/open-archive.js'
import type { ImageFile } from '../content/image-file.js'
import type { ArrivedFile } from '../content/spooled-file.js'
import type { Context } from '../content/store.js'
import { hasCompressedLayers, openDockerArchive } from '../docker-archive/docker-archive.js'
import type { DockerArchiveOptions } from '../docker-archive/docker-archive-source.js'
import { MANIFEST_JSON } from '../docker-archive/manifest-json.js'
import { RegctlError } from '../errors.js'
import { openDir } from '../layout/dir-source.js'
import { openLayout } from '../layout/layout-source.js'
import type { FileSet } from '../tar/file-set.js'
import { type LocalLocator, LocationError } from './location.js'

/** What {@link openImageFile} takes besides the locator. */
export interface OpenOptions extends DockerArchiveOptions {
  /** Read where the locator is `-`. */
  stdin: Readable
  /** Is told of each file of an archive that comes through `stdin`; see {@link ArrivedFile}. The next one is read when it returns. */
  arrived?: ((file: ArrivedFile) => Promise<void>) | undefined
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
  locator: LocalLocator,
  context: Context,
  options: OpenOptions,
): Promise<ImageFile> {
  if (locator.kind === 'stdio' && (options.stdin as Partial<NodeJS.ReadStream>).isTTY === true) {
    throw new LocationError('standard input is a terminal, and no image', {
      kind: 'usage',
      code: 'stdin-is-terminal',
      hint: 'Pipe an image into it: `docker save NAME | regctl push - REF`',
    })
  }
  try {
    return await open(locator, context, options)
  } catch (error) {
    throw withHint(error)
  }
}

/** Whatever is wrong with a file, nobody can do more about it than this, unless the error knows better. */
function withHint(error: unknown): unknown {
  if (!(error instanceof RegctlError) || error.kind !== 'corrupt' || error.hint !== undefined) return error
  return Object.assign(error, {
    hint: 'It is damaged, or what made it did so wrongly: save the image again, or fetch the file again',
  })
}

async function open(locator: LocalLocator, context: Context, options: OpenOptions): Promise<ImageFile> {
  const { arrived } = options
  const archiveOptions = { signal: context.signal, ...(arrived !== undefined && { arrived }) }
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
  const inside = names
    .map(name => /^(.+)\/(?:manifest\.json|oci-layout)$/.exec(name)?.[1])
    .find(folder => folder !== undefined)
  if (
    inside === undefined &&
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
