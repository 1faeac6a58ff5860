import type { Context, RawManifest } from '../content/store.js'
import { ForwardingSource } from './forwarding-source.js'

/**
 * A source whose manifests are read once, however often they are asked for: each is a request that a registry may count
 * (rule R196), and a tag that moves meanwhile is still the same image. Everything else is the base's, which is not
 * disposed with this one. For the time of one copy, which holds its manifests in memory anyway.
 */
export class RememberedSource extends ForwardingSource {
  readonly #manifests = new Map<string, RawManifest>()

  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    const known = this.#manifests.get(tagOrDigest)
    if (known !== undefined) return known
    const manifest = await this.base.getManifest(tagOrDigest, context)
    this.#manifests.set(tagOrDigest, manifest).set(manifest.descriptor.digest, manifest)
    return manifest
  }
}
