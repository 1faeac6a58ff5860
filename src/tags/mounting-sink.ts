import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { BlobContent, Context, RawManifest, Sink } from '../content/store.js'
import { RegctlError } from '../errors.js'
import type { Repository } from '../registry/repository.js'

/**
 * A repository that takes from its registry what is there already, and no bytes: a blob that the registry does not mount
 * fails. Disposing does nothing.
 */
export class MountingSink implements Sink {
  readonly label: string
  readonly #repository: Repository

  constructor(repository: Repository) {
    this.label = repository.label
    this.#repository = repository
  }

  hasManifest(digest: Digest, context: Context): Promise<boolean> {
    return this.#repository.hasManifest(digest, context)
  }

  hasBlob(descriptor: Descriptor, context: Context): Promise<boolean> {
    return this.#repository.hasBlob(descriptor, context)
  }

  statManifest(tagOrDigest: string, context: Context): Promise<Descriptor | undefined> {
    return this.#repository.statManifest(tagOrDigest, context)
  }

  listReferrers(subject: Digest, context: Context): Promise<Descriptor[]> {
    return this.#repository.listReferrers(subject, context)
  }

  /** @throws RegctlError `needs-transfer` when the registry wants the bytes */
  putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'> {
    const { descriptor } = blob
    const refuse = async () => {
      throw new RegctlError(
        `${this.label} does not take ${descriptor.digest} from ${blob.origin.label}: its ${descriptor.size} bytes would have to be sent`,
        {
          kind: 'failed',
          code: 'needs-transfer',
          hint: `To send them, run \`regctl copy\` to ${this.label} instead`,
        },
      )
    }
    return this.#repository.putBlob({ descriptor, origin: blob.origin, open: refuse }, context)
  }

  mountedFrom(digest: Digest): string | undefined {
    return this.#repository.mountedFrom(digest)
  }

  putManifest(manifest: RawManifest, tags: readonly string[], context: Context): Promise<void> {
    return this.#repository.putManifest(manifest, tags, context)
  }

  async commit(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
