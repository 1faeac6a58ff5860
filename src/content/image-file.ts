import type { Digest } from './digest.js'
import type { Source } from './store.js'

/** A local file or folder that holds images, once its format is known and its list of images read. */
export interface ImageFile extends AsyncDisposable {
  readonly format: 'docker-archive' | 'oci-layout' | 'dir'
  /** The path as the user gave it, or `standard input`. */
  readonly label: string
  /** In the order of the file. Names of one and the same image stand together in one entry. */
  readonly images: readonly ImageEntry[]
}

/** One image in an {@link ImageFile}. */
export interface ImageEntry {
  /**
   * Its names as the file has them: full references (`acme/app:1.0`) in a docker-archive; whatever the annotations
   * hold (`1.0`, `example.org/app:1.0`) in a layout. Empty when it has none.
   */
  readonly names: readonly string[]
  /** The digest of its manifest or index; undefined where that is only known after compressing its layers. */
  readonly digest: Digest | undefined
  /** The image ID: the digest of its config. Undefined for an index and for an artifact. */
  readonly configDigest: Digest | undefined
  /** What to ask `source.getManifest` for. */
  readonly root: string
  /** Reads this image. Lives as long as the file it came from. */
  readonly source: Source
}
