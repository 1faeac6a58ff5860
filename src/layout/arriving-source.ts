import { Readable } from 'node:stream'
import { type Chunks, copiesOf } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import { isImageConfigType } from '../content/media-types.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { verifyStream } from '../content/verify.js'
import { withoutStart } from '../content/without-start.js'
import type { Arrivals } from '../files/arrivals.js'

/**
 * An image of another source while its blobs are being copied to a layout: they are read from there as they come. What is
 * read is right only if the copy ends well, which checks it. Whoever reads what is never copied waits for ever, or until the
 * context is aborted.
 */
export class ArrivingSource implements Source {
  readonly label: string
  readonly #base: Source
  readonly #arrivals: Arrivals
  readonly #ends = new Map<string, Promise<Buffer | undefined>>()

  /** @param base is asked for manifests, and is not disposed with this source */
  constructor(base: Source, arrivals: Arrivals) {
    this.label = base.label
    this.#base = base
    this.#arrivals = arrivals
  }

  getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    return this.#base.getManifest(tagOrDigest, context)
  }

  /** A config is read at the base, which has it sooner: before it is known, no layer can be written. */
  async openBlob(descriptor: Descriptor, context: Context, from = 0): Promise<Readable> {
    if (isImageConfigType(descriptor.mediaType) && from === 0)
      return verifyStream(await this.#base.openBlob(descriptor, context), descriptor, this.#what(descriptor))
    return Readable.from(copiesOf(this.blobChunks(descriptor, context, from)), { objectMode: false })
  }

  blobChunks(descriptor: Descriptor, context: Context, from = 0): Chunks {
    const chunks = this.#arrivals.read(descriptor, this.#what(descriptor), context.signal)
    return from === 0 ? chunks : withoutStart(chunks, from)
  }

  /** Asks the base once. */
  async readBlobEnd(descriptor: Descriptor, bytes: number, context: Context): Promise<Buffer | undefined> {
    const key = `${descriptor.digest} ${bytes}`
    const end = this.#ends.get(key) ?? this.#base.readBlobEnd?.(descriptor, bytes, context)
    if (end !== undefined) this.#ends.set(key, end)
    return await end
  }

  /** The copy checks them, and {@link openBlob} does. */
  hasVerified(): boolean {
    return true
  }

  async listReferrers(): Promise<Descriptor[]> {
    return []
  }

  #what({ digest }: Descriptor): string {
    return `blob ${digest} of ${this.label}`
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
