import { digestOf } from '../content/digest.js'
import { LAYER_TYPES } from '../content/layer-types.js'
import { rawManifest } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import type { RawManifest } from '../content/store.js'
import type { PreparedLayer } from './layers.js'

/**
 * The manifest's bytes. Docker's has the order of fields and the indentation that `docker push` gives it
 * (Docker's image manifest version 2, schema 2); the OCI one is compact (image-spec, Image Manifest).
 */
export function makeManifest(
  config: Uint8Array,
  layers: readonly PreparedLayer[],
  format: 'docker' | 'oci',
  label: string,
): RawManifest {
  const mediaType = format === 'oci' ? MediaType.ociManifest : MediaType.dockerManifest
  const configType = format === 'oci' ? MediaType.ociConfig : MediaType.dockerConfig
  const document = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: configType, size: config.length, digest: digestOf(config) },
    layers: layers.map(({ compression, size, digest }) => {
      const layerType = LAYER_TYPES[format][compression]
      if (layerType === undefined) throw new TypeError(`${label}: no ${format} layer type for ${compression}`)
      return { mediaType: layerType, size, digest }
    }),
  }
  const json = JSON.stringify(document, undefined, format === 'docker' ? 3 : undefined)
  return rawManifest(mediaType, new TextEncoder().encode(json))
}
