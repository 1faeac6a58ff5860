import { ContentError } from '../content/content-error.js'
import { isDigest } from '../content/digest.js'
import type { LayerProgressItem } from '../content/events.js'
import { CONFIG_LIMIT_BYTES, type ImageManifest, isObject, parseJson } from '../content/manifest.js'
import { isImageConfigType } from '../content/media-types.js'
import { readConfigBlob } from '../content/read-config-blob.js'
import type { Context, Source } from '../content/store.js'

/**
 * The layers of an image as progress is shown for them, with the diffIDs that its config tells. A config of another
 * type, or one that is too large to be read, tells none: the layers are then known by their digests.
 *
 * @throws ContentError when the config is not what its descriptor says; whatever the source throws
 */
export async function layerItems(
  source: Source,
  manifest: ImageManifest,
  context: Context,
): Promise<LayerProgressItem[]> {
  const diffIDs = await readDiffIDs(source, manifest, context)
  return manifest.layers.map((layer, position) => {
    const diffID = diffIDs.length === manifest.layers.length ? diffIDs[position] : undefined
    return {
      digest: layer.digest,
      size: layer.size,
      ...(diffID !== undefined && isDigest(diffID) && { diffID }),
    }
  })
}

async function readDiffIDs(source: Source, { config }: ImageManifest, context: Context): Promise<string[]> {
  if (!isImageConfigType(config.mediaType) || config.size > CONFIG_LIMIT_BYTES) return []
  const what = `config ${config.digest} of ${source.label}`
  const bytes = await readConfigBlob(source, config, context)
  try {
    return diffIDsOf(parseJson(bytes, what))
  } catch (error) {
    // What a config says is for people to see; a copy keeps its bytes, whatever they are (rule R169).
    if (error instanceof ContentError) return []
    throw error
  }
}

function diffIDsOf(config: unknown): string[] {
  if (!isObject(config) || !isObject(config.rootfs) || !Array.isArray(config.rootfs.diff_ids)) return []
  return config.rootfs.diff_ids.filter(diffID => typeof diffID === 'string')
}
