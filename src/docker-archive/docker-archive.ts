import { sniffCompression } from '../compression/sniff.js'
import type { Digest } from '../content/digest.js'
import type { ImageEntry, ImageFile } from '../content/image-file.js'
import type { FileSet } from '../tar/file-set.js'
import { ARCHIVE_ROOT, type DockerArchiveOptions, DockerArchiveSource } from './docker-archive-source.js'
import { type ManifestJsonImage, readManifestJson } from './manifest-json.js'

/**
 * Opens a docker-archive: what `docker save` writes, of every version, and other tools' files of that form.
 *
 * @param files is disposed with the result
 * @throws RegctlError when manifest.json is missing or broken. A broken image is found when it is read.
 */
export async function openDockerArchive(
  files: FileSet,
  options: DockerArchiveOptions = {},
): Promise<ImageFile> {
  const images: ImageEntry[] = []
  const sources: DockerArchiveSource[] = []
  // Many images may have one config, and each reading of it costs up to 16 MiB (rule R189).
  const configDigests = new Map<string, Digest | undefined>()
  for (const image of await readManifestJson(files)) {
    const source = new DockerArchiveSource(files, image, options)
    sources.push(source)
    const file = (await files.stat(image.config).catch(() => undefined))?.name ?? image.config
    // An image that can't be read has no ID; reading it for good tells why.
    if (!configDigests.has(file)) configDigests.set(file, await source.configDigest().catch(() => undefined))
    images.push({
      names: image.repoTags,
      digest: undefined,
      configDigest: configDigests.get(file),
      root: ARCHIVE_ROOT,
      source,
    })
  }
  return {
    format: 'docker-archive',
    label: files.label,
    images,
    [Symbol.asyncDispose]: async () => {
      for (const source of sources) await source[Symbol.asyncDispose]()
      await files[Symbol.asyncDispose]()
    },
  }
}

/**
 * Whether the layers that manifest.json names are compressed. Those that Docker saves from its graph drivers are not, though
 * they are blobs of a layout as well since Docker 25 (rule R184). A file of Docker's containerd image store is like
 * that; it is an OCI layout first, and the layers are the layout's blobs (rule R185).
 */
export async function hasCompressedLayers(files: FileSet): Promise<boolean> {
  const layer = firstLayer(await readManifestJson(files))
  if (layer === undefined || (await files.stat(layer)) === undefined) return false
  return sniffCompression(await files.read(layer, 0, 16)) !== 'none'
}

function firstLayer(images: readonly ManifestJsonImage[]): string | undefined {
  return images.find(image => image.layers.length > 0)?.layers[0]
}
