import type { Digest } from '../content/digest.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { ForwardingSource } from './forwarding-source.js'

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
export class DerivedSource extends ForwardingSource {
  readonly #manifests: ReadonlyMap<Digest, RawManifest>

  constructor(base: Source, manifests: Iterable<RawManifest>) {
    super(base)
    this.#manifests = new Map([...manifests].map(manifest => [manifest.descriptor.digest, manifest]))
  }

  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    return this.#manifests.get(tagOrDigest as Digest) ?? (await this.base.getManifest(tagOrDigest, context))
  }
}
