import type { Readable } from 'node:stream'
import { blobChunksOf, type Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { Context, RawManifest, Source } from '../content/store.js'

/**
 * A source whose manifests are read once, however often they are asked for: each is a request that a registry may count
 * (rule R196), and a tag that moves meanwhile is still the same image. Everything else is the base's, which is not
 * disposed with this one. For the time of one copy, which holds its manifests in memory anyway.
 */
export class RememberedSource implements Source {
  readonly label: string
  readonly isAtHand: boolean
  readonly #base: Source
  readonly #manifests = new Map<string, RawManifest>()

  constructor(base: Source) {
    this.label = base.label
    this.isAtHand = base.isAtHand === true
    this.#base = base
  }

  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    const known = this.#manifests.get(tagOrDigest)
    if (known !== undefined) return known
    const manifest = await this.#base.getManifest(tagOrDigest, context)
    this.#manifests.set(tagOrDigest, manifest).set(manifest.descriptor.digest, manifest)
    return manifest
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
