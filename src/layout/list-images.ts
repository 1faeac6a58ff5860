import type { Digest } from '../content/digest.js'
import type { ImageEntry } from '../content/image-file.js'
import { type ImageManifest, type Index, parseManifest } from '../content/manifest.js'
import { isImageConfigType } from '../content/media-types.js'
import type { Context, Source } from '../content/store.js'
import { WeightedLimit } from '../limit.js'
import type { IndexEntry } from './index-json.js'
import { checkSignal } from './layout-error.js'
import type { LayoutSource } from './layout-source.js'

const READS_AT_ONCE = 16

/** The images of a layout: one for each digest in `index.json`, with all the names that the digest has there. */
export async function listImages(source: LayoutSource, context: Context): Promise<ImageEntry[]> {
  const byDigest = new Map<Digest, IndexEntry[]>()
  for (const entry of source.entries) {
    const same = byDigest.get(entry.descriptor.digest)
    if (same === undefined) byDigest.set(entry.descriptor.digest, [entry])
    else same.push(entry)
  }
  const limit = new WeightedLimit({ count: READS_AT_ONCE })
  return await Promise.all(
    [...byDigest].map(async ([digest, entries]) => ({
      names: [...new Set(entries.map(entry => entry.name).filter(name => name !== undefined))],
      digest,
      configDigest: await limit.run(1, () => configDigestOf(source, digest, context)),
      root: digest,
      source,
    })),
  )
}

async function configDigestOf(source: Source, digest: Digest, context: Context): Promise<Digest | undefined> {
  try {
    const { bytes, descriptor } = await source.getManifest(digest, context)
    return imageID(parseManifest(bytes, descriptor.mediaType, `manifest ${digest}`))
  } catch {
    checkSignal(context)
    return undefined
  }
}

/** The digest of an image's config; undefined for an index, and for an artifact, whose config says nothing. */
export function imageID(manifest: ImageManifest | Index): Digest | undefined {
  if (manifest.kind === 'index') return undefined
  const { mediaType, digest } = manifest.config
  return isImageConfigType(mediaType) ? digest : undefined
}
