import type { Digest } from './digest.js'

/**
 * Names some content: its type, its digest and its size (image-spec, OCI Content Descriptors).
 * Fields that we don't know are kept where the descriptor came from: a manifest's bytes are never made anew.
 */
export interface Descriptor {
  mediaType: string
  digest: Digest
  /** In bytes. A safe non-negative integer (rule R192). */
  size: number
  /** Where else the content can be had. Untrusted (rule R212). */
  urls?: readonly string[]
  annotations?: Readonly<Record<string, string>>
  /** The content itself, in base64. Used only when size and digest match (rule R171). */
  data?: string
  artifactType?: string
  /** Present on the manifests of an index; absent when the index doesn't say. */
  platform?: Platform
}

/** What an image runs on (image-spec, Image Index, platform). */
export interface Platform {
  os: string
  architecture: string
  variant?: string
  'os.version'?: string
  'os.features'?: readonly string[]
}
