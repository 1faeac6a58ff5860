import type { Readable } from 'node:stream'
import { blobChunksOf, type Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { Context, RawManifest, Source } from '../content/store.js'

/** A root to copy: what to ask which source for. */
export interface Root {
  source: Source
  /** Tag or digest, as the source knows it. */
  root: string
}

/**
 * A source with some manifests that were made from it: a smaller index, say. Everything else is the base's, which is
 * not disposed with this one.
 */
export class DerivedSource implements Source {
  readonly label: string
  readonly isAtHand: boolean
  readonly #base: Source
  readonly #manifests: ReadonlyMap<Digest, RawManifest>

  constructor(base: Source, manifests: Iterable<RawManifest>) {
    this.label = base.label
    this.isAtHand = base.isAtHand === true
    this.#base = base
    this.#manifests = new Map([...manifests].map(manifest => [manifest.descriptor.digest, manifest]))
  }

  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    return this.#manifests.get(tagOrDigest as Digest) ?? (await this.#base.getManifest(tagOrDigest, context))
  }

  openBlob(descriptor: Descriptor, context: Context, from?: number): Promise<Readable> {
    return this.#base.openBlob(descriptor, context, from)
  }

  blobChunks(descriptor: Descriptor, context: Context, from?: number): Chunks {
    return blobChunksOf(this.#base, descriptor, context, from)
  }

  async readBlobEnd(descriptor: Descriptor, bytes: number, context: Context): Promise<Buffer | undefined> {
    return await this.#base.readBlobEnd?.(descriptor, bytes, context)
  }

  rejectBlob(digest: Digest, context: Context): boolean {
    return this.#base.rejectBlob?.(digest, context) ?? false
  }

  listReferrers(subject: Digest, context: Context): Promise<Descriptor[]> {
    return this.#base.listReferrers(subject, context)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
