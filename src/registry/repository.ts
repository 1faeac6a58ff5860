import { availableParallelism } from 'node:os'
import type { Readable } from 'node:stream'
import type { Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { type Referrer, referrerOf } from '../content/referrer.js'
import type { BlobContent, Context, ListOptions, RawManifest, Store } from '../content/store.js'
import type { ClientAccess, RepositoryAccess } from './access.js'
import { isLoopback } from './addresses.js'
import { BlobDoubts } from './blob-doubts.js'
import { readBlob } from './blob-download.js'
import { readBlobEnd } from './blob-end.js'
import { uploadBlob } from './blob-upload.js'
import { deleteBlob, headBlob, statBlob } from './blobs.js'
import type { KnownBlobs } from './known-blobs.js'
import { deleteManifest } from './manifest-delete.js'
import { putManifest } from './manifest-put.js'
import { getManifest, hasManifest, statManifest } from './manifests.js'
import { type DeadMirrors, type MirrorAccess, MirroredReads } from './mirrors.js'
import { forgetReferrer } from './referrer-removal.js'
import { listReferrers } from './referrers.js'
import { recordReferrer } from './referrers-fallback.js'
import { type ResponseBody, streamOf } from './response-body.js'
import { listTags } from './tags.js'

/** Up to this size it takes longer to ask for a blob than to send it. */
const LOOKUP_BY_MOUNT_BYTES = 256 * 1024

/**
 * One repository of a registry (OCI distribution-spec 1.1). Made by {@link RegistryClient.repository}, which also closes
 * the connections: disposing a repository does nothing.
 */
export class Repository implements Store, RepositoryAccess {
  readonly client: ClientAccess
  /** As in a reference: `docker.io`, `localhost:5000`. */
  readonly registry: string
  /** The full name, without the registry: `library/ubuntu`. */
  readonly name: string
  /** `registry/name`. */
  readonly label: string
  readonly #known: KnownBlobs
  readonly #doubts = new BlobDoubts()
  readonly #mounted = new Map<Digest, string>()
  readonly #underWay = new Map<Digest, Promise<unknown>>()
  /** Whether something is to be written here: one token then serves for reading too (rule R104). */
  #isWritten = false

  /** What reads go by until something is to be written; undefined where there are no mirrors. */
  readonly #mirrored: MirroredReads | undefined

  /**
   * @param mirrors are asked before the registry itself for what is read
   * @param dead is shared by the repositories of a client
   */
  constructor(
    client: ClientAccess,
    known: KnownBlobs,
    registry: string,
    name: string,
    mirrors: readonly MirrorAccess[] = [],
    dead: DeadMirrors = new Set(),
  ) {
    this.client = client
    this.#known = known
    this.registry = registry
    this.name = name
    this.label = `${registry}/${name}`
    this.#mirrored = mirrors.length === 0 ? undefined : new MirroredReads(this, mirrors, dead, this.#doubts)
  }

  /** A registry of this machine hashes each blob on one processor. */
  get largeBlobsAtOnce(): number | undefined {
    return isLoopback(new URL(`http://${this.registry}`).hostname) ? availableParallelism() : undefined
  }

  /** The same repository, which asks from the start for a token that allows to write (rule R104). */
  forWriting(): this {
    this.#isWritten = true
    return this
  }

  /** What is written must be read where it goes. */
  get #mirrors(): MirroredReads | undefined {
    return this.#isWritten ? undefined : this.#mirrored
  }

  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    if (this.#mirrors !== undefined) return await this.#mirrors.getManifest(tagOrDigest, context)
    return await getManifest(this, tagOrDigest, context)
  }

  async statManifest(tagOrDigest: string, context: Context): Promise<Descriptor | undefined> {
    if (this.#mirrors !== undefined) return await this.#mirrors.statManifest(tagOrDigest, context)
    return await statManifest(this, tagOrDigest, context, this.#isWritten ? 'push' : 'pull')
  }

  async hasManifest(digest: Digest, context: Context): Promise<boolean> {
    this.#isWritten = true
    return await hasManifest(this, digest, context)
  }

  async putManifest(manifest: RawManifest, tags: readonly string[], context: Context): Promise<void> {
    await putManifest(this, manifest, tags, context)
    // Most manifests have no subject, and need not be parsed to see it.
    if (!Buffer.from(manifest.bytes).includes('"subject"')) return
    const referrer = referrerOf(manifest)
    if (referrer !== undefined) await recordReferrer(this, referrer, context)
  }

  /** Takes a manifest that has a subject out of the list of its referrers too (rule R84). */
  async deleteManifest(digest: Digest, context: Context): Promise<boolean> {
    const referrer = await this.#referrerAt(digest, context)
    const wasThere = await deleteManifest(this, digest, context)
    if (wasThere && referrer !== undefined) await forgetReferrer(this, referrer, context)
    return wasThere
  }

  /** What can't be read may be deleted all the same. */
  async #referrerAt(digest: Digest, context: Context): Promise<Referrer | undefined> {
    try {
      return referrerOf(await getManifest(this, digest, context))
    } catch (error) {
      if (context.signal.aborted) throw error
      return undefined
    }
  }

  async deleteTag(tag: string, context: Context): Promise<boolean> {
    return await deleteManifest(this, tag, context)
  }

  listTags(context: Context, options: ListOptions = {}): AsyncIterable<string> {
    return listTags(this, context, options)
  }

  async listReferrers(subject: Digest, context: Context): Promise<Descriptor[]> {
    return await listReferrers(this, subject, context)
  }

  async statBlob(digest: Digest, context: Context): Promise<number | undefined> {
    if (this.#mirrors !== undefined) return await this.#mirrors.statBlob(digest, context)
    return await statBlob(this, digest, context)
  }

  async hasBlob(descriptor: Descriptor, context: Context): Promise<boolean> {
    this.#isWritten = true
    const status = await headBlob(this, descriptor.digest, 'push', context)
    const isThere = status.state === 'present' && (status.size ?? descriptor.size) === descriptor.size
    if (isThere) this.#known.add(this.registry, descriptor, this.name)
    else this.#known.remove(this.registry, descriptor.digest, this.name)
    return isThere
  }

  async openBlob(descriptor: Descriptor, context: Context, from = 0): Promise<Readable> {
    return streamOf(await this.#readBlob(descriptor, context, from))
  }

  async *blobChunks(descriptor: Descriptor, context: Context, from = 0): Chunks {
    yield* await this.#readBlob(descriptor, context, from)
  }

  async #readBlob(descriptor: Descriptor, context: Context, from: number): Promise<ResponseBody> {
    if (this.#mirrors !== undefined) return await this.#mirrors.readBlob(descriptor, context, from)
    return await readBlob(this, descriptor, context, from, this.#doubts)
  }

  async readBlobEnd(descriptor: Descriptor, bytes: number, context: Context): Promise<Buffer | undefined> {
    return this.#mirrors === undefined ? await readBlobEnd(this, descriptor, bytes, context) : undefined
  }

  rejectBlob(digest: Digest, context: Context): boolean {
    return this.#mirrors?.rejectBlob(digest, context) ?? this.#doubts.reject(digest)
  }

  async deleteBlob(digest: Digest, context: Context): Promise<boolean> {
    this.#known.remove(this.registry, digest, this.name)
    return await deleteBlob(this, digest, context)
  }

  /**
   * Takes a blob that is there already, with its size or without any (rule R61), as it is, has it mounted where that can be, and else sends the bytes. One that
   * was seen here in this run is not asked for again.
   */
  async putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'> {
    const { digest } = blob.descriptor
    // Several images that are copied at once may share it.
    for (let other = this.#underWay.get(digest); other; other = this.#underWay.get(digest)) {
      await other.catch(() => {})
    }
    const putting = this.#putBlob(blob, context)
    this.#underWay.set(digest, putting)
    try {
      return await putting
    } finally {
      this.#underWay.delete(digest)
    }
  }

  async #putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'> {
    const { descriptor } = blob
    const { digest, size } = descriptor
    if (this.#known.has(this.registry, descriptor, this.name)) return 'exists'
    const from = this.#mountSource(blob)
    if (from === undefined && size <= LOOKUP_BY_MOUNT_BYTES) return await this.#putSmallBlob(blob, context)
    const status = await headBlob(this, digest, 'push', context)
    if (status.state === 'present' && (status.size ?? size) === size) {
      this.#known.add(this.registry, descriptor, this.name)
      return 'exists'
    }
    if (status.state === 'present') {
      const message = `${this.label} has blob ${digest} with ${status.size} bytes instead of ${size}; it is sent again`
      context.emit({ type: 'warning', message })
    }
    const result = await uploadBlob(this, blob, from, context)
    if (result === 'mounted' && from !== undefined) this.#mounted.set(digest, from)
    this.#known.add(this.registry, descriptor, this.name)
    return result
  }

  /**
   * One request both asks whether a blob is there and begins its upload where it is not: a mount from the repository itself.
   * A registry that mounts nothing gets it again.
   */
  async #putSmallBlob(blob: BlobContent, context: Context): Promise<'copied' | 'exists'> {
    const result = await uploadBlob(this, blob, this.name, context)
    this.#known.add(this.registry, blob.descriptor, this.name)
    return result === 'mounted' ? 'exists' : result
  }

  /** The repository of the same registry that a blob was mounted from in this run; undefined when it was not. */
  mountedFrom(digest: Digest): string | undefined {
    return this.#mounted.get(digest)
  }

  #mountSource({ origin, descriptor }: BlobContent): string | undefined {
    const isSibling =
      origin instanceof Repository && origin.client === this.client && origin.registry === this.registry
    if (isSibling && origin.name !== this.name) return origin.name
    return this.#known.otherThan(this.registry, descriptor.digest, this.name)
  }

  /** Nothing is left to do: every manifest is in place as soon as it was put. */
  async commit(_context: Context): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
