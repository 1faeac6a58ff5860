import type { Platform } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { ImageEntry, ImageFile } from '../content/image-file.js'
import { type ImageManifest, isObject, parseJson, parseManifest } from '../content/manifest.js'
import { isIndexType } from '../content/media-types.js'
import { hostPlatform, isAttestation } from '../content/platform.js'
import type { Context } from '../content/store.js'
import type { Root } from '../copy/derived-source.js'
import { platformRoot } from '../copy/platform-root.js'
import { RegctlError } from '../errors.js'
import { readConfig } from './read-config.js'

/** One image of a file, as `docker images` tells of it. */
export interface ListedImage {
  /** As the file has them; none is an empty list. */
  names: readonly string[]
  /** The image ID, which is the digest of the config; of an index its own digest. Undefined for what can't be read. */
  id: Digest | undefined
  /** Of the manifest or index; undefined where that is only known after compressing the layers. */
  digest: Digest | undefined
  /** As the config has it, which may be anything that is text; undefined when it has none. */
  created: string | undefined
  /** Of the layers as they lie in the file, in bytes; of an index, of the image that is looked at. Undefined if unknown. */
  size: number | undefined
  /** What an index has images for; undefined for a single image. */
  platforms: readonly Platform[] | undefined
}

/**
 * Tells of every image of a file what its config says. Nothing is compressed for it. Of an index the image for this
 * machine is looked at, or the first that is there. An image that can't be read is listed with a warning.
 */
export async function* listImages(file: ImageFile, context: Context): AsyncGenerator<ListedImage> {
  for (const image of file.images) {
    const known = { names: image.names, id: image.configDigest ?? image.digest, digest: image.digest }
    try {
      yield { ...known, ...(await look(image, context)) }
    } catch (error) {
      if (context.signal.aborted || !(error instanceof RegctlError)) throw error
      context.emit({ type: 'warning', message: error.message })
      yield { ...known, created: undefined, size: undefined, platforms: undefined }
    }
  }
}

async function look(
  image: ImageEntry,
  context: Context,
): Promise<Pick<ListedImage, 'created' | 'size' | 'platforms'>> {
  const contents = await image.source.openContents?.(context)
  if (contents !== undefined) {
    const size = contents.layers.reduce((sum, layer) => sum + layer.size, 0)
    return { created: createdOf(contents.config), size, platforms: undefined }
  }
  const { root, platforms } = await chooseImage(image, context)
  const manifest = await readImage(root, context)
  const size = manifest.layers.reduce((sum, layer) => sum + layer.size, 0)
  const config = await readConfig(root, context)
  return { created: createdOf(config.bytes), size, platforms }
}

async function chooseImage(
  image: ImageEntry,
  context: Context,
): Promise<{ root: Root; platforms: Platform[] | undefined }> {
  const { source, root } = image
  const { descriptor, bytes } = await source.getManifest(root, context)
  if (!isIndexType(descriptor.mediaType)) return { root: image, platforms: undefined }
  const index = parseManifest(bytes, descriptor.mediaType, `manifest ${descriptor.digest} of ${source.label}`)
  const children = index.kind === 'index' ? index.manifests.filter(child => !isAttestation(child)) : []
  const platforms = children.flatMap(child => child.platform ?? [])
  const present = await platformRoot(image, hostPlatform(), context).catch(() => undefined)
  if (present !== undefined) return { root: present, platforms }
  for (const { digest, mediaType } of children) {
    const found = isIndexType(mediaType)
      ? undefined
      : await source.getManifest(digest, context).catch(() => undefined)
    if (found !== undefined) return { root: { source, root: digest }, platforms }
  }
  throw new RegctlError(`the index ${descriptor.digest} of ${source.label} has no image that is there`, {
    kind: 'not-found',
    code: 'no-such-image',
  })
}

async function readImage({ source, root }: Root, context: Context): Promise<ImageManifest> {
  const { descriptor, bytes } = await source.getManifest(root, context)
  const what = `manifest ${descriptor.digest} of ${source.label}`
  const manifest = parseManifest(bytes, descriptor.mediaType, what)
  if (manifest.kind === 'image') return manifest
  throw new RegctlError(`${what} is an index`, { kind: 'usage', code: 'not-one-image' })
}

/** What a config says of its time; an artifact's may be no JSON at all. */
function createdOf(config: Uint8Array): string | undefined {
  try {
    const document = parseJson(config, 'config')
    return isObject(document) && typeof document.created === 'string' ? document.created : undefined
  } catch {
    return undefined
  }
}
