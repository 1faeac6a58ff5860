import { isForeignLayerType, MediaType } from './media-types.js'

/** The compressions that layers can have in a registry. */
export type StoredCompression = 'none' | 'gzip' | 'zstd'

/** The two families of media types. */
export type ManifestFormat = 'docker' | 'oci'

/** The layer types of each family; Docker's has none for zstd (rule R194). */
export const LAYER_TYPES = {
  docker: { none: MediaType.dockerLayer, gzip: MediaType.dockerLayerGzip, zstd: undefined },
  oci: { none: MediaType.ociLayer, gzip: MediaType.ociLayerGzip, zstd: MediaType.ociLayerZstd },
} as const

const COMPRESSION_OF_TYPE = new Map<string, StoredCompression>([
  [MediaType.dockerLayer, 'none'],
  [MediaType.dockerLayerGzip, 'gzip'],
  [MediaType.ociLayer, 'none'],
  [MediaType.ociLayerGzip, 'gzip'],
  [MediaType.ociLayerZstd, 'zstd'],
])

/** The compression that a file system layer's type announces; undefined for what is no such layer. */
export function announcedCompression(mediaType: string): StoredCompression | undefined {
  return isForeignLayerType(mediaType) ? undefined : COMPRESSION_OF_TYPE.get(mediaType)
}

/** The family of a manifest's or an index's type. */
export function formatOf(mediaType: string): ManifestFormat {
  return mediaType.startsWith('application/vnd.docker.') ? 'docker' : 'oci'
}
