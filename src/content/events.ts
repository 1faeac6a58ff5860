import type { Descriptor } from './descriptor.js'
import type { Digest } from './digest.js'

/** How a blob came to be where it should be. */
export type BlobResult = 'copied' | 'mounted' | 'exists' | 'skipped'

/**
 * A layer, as progress is shown for it. It is known by its diffID from the start; its digest follows when it is
 * compressed on the way.
 */
export interface LayerProgressItem {
  /** Digest of the uncompressed layer; undefined when the image's config doesn't tell. */
  diffID?: Digest
  /** Digest of the bytes that travel; undefined while they are still being made. */
  digest?: Digest
  /** Size in bytes of what is read to make or move the layer; undefined while unknown. */
  size?: number
}

/**
 * Everything that happens during a copy, in the order in which it happens. Renderers and programs subscribe to
 * these; nothing else is reported. `target` is the label of the sink concerned (`host/repository`, `oci:dir`).
 */
export type CopyEvent =
  /** The layers of one image are known. Comes once for each image manifest, before anything of it moves. */
  | { type: 'layers'; layers: readonly LayerProgressItem[] }
  /** Bytes of a layer that is being read and compressed before it can move: an absolute offset of its uncompressed size. */
  | { type: 'layer-progress'; diffID: Digest; offset: number; size: number }
  /** A layer was compressed: from here on its blob is known by `descriptor`. */
  | { type: 'layer-ready'; diffID: Digest; descriptor: Descriptor }
  /** What a copy to one target will do, once that is known. `bytes` counts the blobs to send. */
  | { type: 'planned'; target: string; root: Descriptor; manifests: number; blobs: number; bytes: number }
  /** A blob begins to move to one target. */
  | { type: 'blob-started'; target: string; descriptor: Descriptor }
  /** An absolute offset: it goes back when the transfer had to start again. */
  | { type: 'blob-progress'; target: string; descriptor: Descriptor; offset: number }
  /** A blob is in its place. `from` is the label of the repository that a mounted blob came from. */
  | { type: 'blob-done'; target: string; descriptor: Descriptor; result: BlobResult; from?: string }
  /** A manifest is in its place, under its digest and these tags. */
  | {
      type: 'manifest-done'
      target: string
      descriptor: Descriptor
      tags: readonly string[]
      result: 'copied' | 'exists'
    }
  /** A request failed and is tried again after a delay. `cause` is one line without secrets. */
  | { type: 'retrying'; operation: string; cause: string; attempt: number; delayMs: number }
  /** A transfer goes on where it stopped in this run or an earlier one, at this offset of its size in bytes. */
  | { type: 'resuming'; operation: string; offset: number; size: number }
  /** Something the user should know, which does not stop the work. */
  | { type: 'warning'; message: string }
