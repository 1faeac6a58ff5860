import { blobChunksOf } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { BlobContent, Context, RawManifest, Sink, Source } from '../content/store.js'
import type { ArchiveMember } from './archive-members.js'
import { blobPath } from './layout-format.js'
import type { LayoutStore } from './layout-store.js'

/** Blobs that are opened only when the archive is written, by the digests that they are to have. */
export type LateBlobs = Map<Digest, { descriptor: Descriptor; origin: Source }>

/** The part of an archive whose manifests are gathered in a layout, while its blobs stay where they are until the end. */
export class LateSink implements Sink {
  readonly label: string
  readonly asksFreely = true
  readonly #layout: LayoutStore
  readonly #blobs: LateBlobs

  /** @param blobs takes those that are put */
  constructor(layout: LayoutStore, blobs: LateBlobs) {
    this.label = layout.label
    this.#layout = layout
    this.#blobs = blobs
  }

  async hasManifest(digest: Digest, context: Context): Promise<boolean> {
    return await this.#layout.hasManifest(digest, context)
  }

  async hasBlob({ digest }: Descriptor): Promise<boolean> {
    return this.#blobs.has(digest)
  }

  /** The blob is read, and checked, when the archive is written. */
  async putBlob({ descriptor, origin }: BlobContent): Promise<'copied' | 'exists'> {
    if (this.#blobs.has(descriptor.digest)) return 'exists'
    this.#blobs.set(descriptor.digest, { descriptor, origin })
    return 'copied'
  }

  async putManifest(manifest: RawManifest, tags: readonly string[], context: Context): Promise<void> {
    await this.#layout.putManifest(manifest, tags, context)
  }

  async commit(context: Context): Promise<void> {
    await this.#layout.commit(context)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The files of an archive that late blobs become. Writing them fails where they are not what their descriptors say. */
export function lateMembers(blobs: LateBlobs, context: Context): ArchiveMember[] {
  return [...blobs.values()].map(({ descriptor, origin }) => {
    const { digest } = descriptor
    const what = `blob ${digest} of ${origin.label}`
    const isRight = origin.hasVerified?.(digest) === true || origin.checksChunks?.(digest) === true
    return {
      name: blobPath(digest),
      size: descriptor.size,
      open: async cut => blobChunksOf(origin, descriptor, context, 0, cut),
      check: isRight ? undefined : { expected: descriptor, what },
    }
  })
}
