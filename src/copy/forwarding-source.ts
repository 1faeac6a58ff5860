import type { Readable } from 'node:stream'
import { blobChunksOf, type Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { Context, RawManifest, Source } from '../content/store.js'

/** A source whose manifests are its own affair; everything else is the base's, which is not disposed with this one. */
export abstract class ForwardingSource implements Source {
  readonly label: string
  readonly isAtHand: boolean
  protected readonly base: Source

  constructor(base: Source) {
    this.label = base.label
    this.isAtHand = base.isAtHand === true
    this.base = base
  }

  abstract getManifest(tagOrDigest: string, context: Context): Promise<RawManifest>

  openBlob(descriptor: Descriptor, context: Context, from?: number): Promise<Readable> {
    return this.base.openBlob(descriptor, context, from)
  }

  blobChunks(descriptor: Descriptor, context: Context, from?: number): Chunks {
    return blobChunksOf(this.base, descriptor, context, from)
  }

  async readBlobEnd(descriptor: Descriptor, bytes: number, context: Context): Promise<Buffer | undefined> {
    return await this.base.readBlobEnd?.(descriptor, bytes, context)
  }

  rejectBlob(digest: Digest, context: Context): boolean {
    return this.base.rejectBlob?.(digest, context) ?? false
  }

  listReferrers(subject: Digest, context: Context): Promise<Descriptor[]> {
    return this.base.listReferrers(subject, context)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
