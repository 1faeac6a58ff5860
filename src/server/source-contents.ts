import { ContentError } from '../content/content-error.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { childrenOf, parseManifest } from '../content/manifest.js'
import { isManifestType } from '../content/media-types.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { RegctlError } from '../errors.js'

/** How deep indexes may lie in each other, and how many manifests are looked at (rule R232). */
const MAXIMUM_DEPTH = 8
const MAXIMUM_MANIFESTS = 10_000

/** One image to be shown as part of a registry. */
export interface ServedImage {
  repository: string
  /** Without one the image is found by its digest alone. */
  tag?: string | undefined
  /** What `source.getManifest` is asked for. */
  root: string
  /** Belongs to the caller, who disposes of it after the collection. */
  source: Source
}

/** Everything that can be reached in one repository: manifests and blobs by digest, with the source that has them. */
export interface Contents {
  manifests: Map<Digest, RawManifest>
  tags: Map<string, Digest>
  blobs: Map<Digest, { descriptor: Descriptor; source: Source }>
}

/**
 * Walks from the roots of images to everything below them, and to what refers to them. An image that is broken is
 * left out with a warning: the others of its file can still be had.
 *
 * @throws as `getManifest` of the sources, but for what is corrupt
 */
export async function readContents(images: readonly ServedImage[], context: Context): Promise<Contents> {
  const contents: Contents = { manifests: new Map(), tags: new Map(), blobs: new Map() }
  for (const { root, source, tag } of images) {
    try {
      const manifest = await source.getManifest(root, context)
      await addManifest(contents, manifest, source, context, 0)
      if (tag !== undefined) contents.tags.set(tag, manifest.descriptor.digest)
    } catch (error) {
      if (!(error instanceof RegctlError) || error.kind !== 'corrupt') throw error
      context.emit({ type: 'warning', message: `left out ${root} of ${source.label}: ${error.message}` })
    }
  }
  return contents
}

async function addManifest(
  contents: Contents,
  manifest: RawManifest,
  source: Source,
  context: Context,
  depth: number,
): Promise<void> {
  const { digest, mediaType } = manifest.descriptor
  if (contents.manifests.has(digest)) return
  if (depth > MAXIMUM_DEPTH || contents.manifests.size >= MAXIMUM_MANIFESTS) {
    throw new ContentError(`${source.label} holds more manifests than are looked at`, {
      kind: 'corrupt',
      code: 'too-large',
    })
  }
  const parsed = parseManifest(manifest.bytes, mediaType, `manifest ${digest} of ${source.label}`)
  contents.manifests.set(digest, manifest)
  for (const child of childrenOf(parsed)) {
    if (parsed.kind === 'image' || !isManifestType(child.mediaType)) {
      contents.blobs.set(child.digest, { descriptor: child, source })
      continue
    }
    const found = await getChild(child, source, context)
    if (found !== undefined) await addManifest(contents, found, source, context, depth + 1)
  }
  for (const referrer of await source.listReferrers(digest, context)) {
    const found = await getChild(referrer, source, context)
    if (found !== undefined) await addManifest(contents, found, source, context, depth + 1)
  }
}

/** A child of an index; undefined when the file does not have it, as with images of which some platforms were saved. */
async function getChild(
  child: Descriptor,
  source: Source,
  context: Context,
): Promise<RawManifest | undefined> {
  try {
    return await source.getManifest(child.digest, context)
  } catch (error) {
    if (error instanceof RegctlError && error.kind === 'not-found') return undefined
    throw error
  }
}
