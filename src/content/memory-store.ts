import { setMaxListeners } from 'node:events'
import { addAbortSignal, Readable } from 'node:stream'
import { InterruptedError } from '../errors.js'
import { ContentError } from './content-error.js'
import type { Descriptor } from './descriptor.js'
import { type Digest, isDigest } from './digest.js'
import { MemoryBlobs } from './memory-blobs.js'
import { type Referrer, referrerOf } from './referrer.js'
import type { BlobContent, Context, ListOptions, RawManifest, Store } from './store.js'
import { verifyBytes, verifyStream } from './verify.js'

const CHUNK_BYTES = 256 * 1024

/**
 * A repository in memory, for tests, for small images and for a registry that forgets. It holds whole blobs, so
 * it is not for layers of any size.
 *
 * @example
 * const store = new MemoryStore('acme/app')
 * await store.putBlob(blob, createContext())
 */
export class MemoryStore implements Store {
  readonly label: string
  readonly #shared: MemoryBlobs
  readonly #visible = new Set<Digest>()
  readonly #manifests = new Map<Digest, { manifest: RawManifest; referrer: Referrer | undefined }>()
  readonly #tags = new Map<string, Digest>()

  /** `name` is for messages. Stores may share the bytes of their blobs; each shows only those put into it. */
  constructor(name: string, shared = new MemoryBlobs()) {
    this.label = `memory:${name}`
    this.#shared = shared
  }

  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    checkSignal(context)
    const manifest = this.#find(tagOrDigest)
    if (manifest === undefined)
      throw notFound(`${this.label} has no manifest ${tagOrDigest}`, 'missing-manifest')
    return manifest
  }

  async openBlob(descriptor: Descriptor, context: Context, from = 0): Promise<Readable> {
    checkSignal(context)
    const bytes = this.#blob(descriptor.digest)
    if (bytes === undefined) throw notFound(`${this.label} has no blob ${descriptor.digest}`, 'missing-blob')
    return Readable.from(chunksOf(bytes, from), { objectMode: false })
  }

  async listReferrers(subject: Digest, context: Context): Promise<Descriptor[]> {
    checkSignal(context)
    const referrers = [...this.#manifests.values()].map(({ referrer }) => referrer)
    return referrers.flatMap(referrer => (referrer?.subject === subject ? [referrer.descriptor] : []))
  }

  async hasManifest(digest: Digest): Promise<boolean> {
    return this.#manifests.has(digest)
  }

  async hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#blob(descriptor.digest)?.length === descriptor.size
  }

  async putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'> {
    checkSignal(context)
    const { descriptor, origin } = blob
    if (await this.hasBlob(descriptor)) return 'exists'
    const held =
      origin instanceof MemoryStore && origin.#shared === this.#shared && origin.#blob(descriptor.digest)
    if (held && held.length === descriptor.size) {
      this.#show(descriptor.digest, held)
      return 'mounted'
    }
    this.#show(descriptor.digest, await readVerified(blob, this.label, context))
    return 'copied'
  }

  async putManifest(manifest: RawManifest, tags: readonly string[], context: Context): Promise<void> {
    checkSignal(context)
    const { descriptor } = manifest
    verifyBytes(manifest.bytes, descriptor, `manifest ${descriptor.digest} for ${this.label}`)
    const referrer = referrerOf(manifest)
    const { mediaType, digest, size } = descriptor
    const stored = { descriptor: { mediaType, digest, size }, bytes: Uint8Array.from(manifest.bytes) }
    this.#manifests.set(digest, { manifest: stored, referrer })
    for (const tag of tags) this.#tags.set(tag, digest)
  }

  async commit(): Promise<void> {}

  async statManifest(tagOrDigest: string, context: Context): Promise<Descriptor | undefined> {
    checkSignal(context)
    return this.#find(tagOrDigest)?.descriptor
  }

  async statBlob(digest: Digest, context: Context): Promise<number | undefined> {
    checkSignal(context)
    return this.#blob(digest)?.length
  }

  async *listTags(context: Context, options: ListOptions = {}): AsyncIterable<string> {
    checkSignal(context)
    yield* pageOf(this.#tags.keys(), options)
  }

  async deleteTag(tag: string, context: Context): Promise<boolean> {
    checkSignal(context)
    return this.#tags.delete(tag)
  }

  async deleteManifest(digest: Digest, context: Context): Promise<boolean> {
    checkSignal(context)
    for (const [tag, target] of this.#tags) if (target === digest) this.#tags.delete(tag)
    return this.#manifests.delete(digest)
  }

  async deleteBlob(digest: Digest, context: Context): Promise<boolean> {
    checkSignal(context)
    const wasThere = this.#visible.delete(digest)
    if (wasThere) this.#shared.release(digest)
    return wasThere
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #blob(digest: Digest): Uint8Array | undefined {
    return this.#visible.has(digest) ? this.#shared.get(digest) : undefined
  }

  #show(digest: Digest, bytes: Uint8Array): void {
    // Two puts of one blob may end together: the second finds it in place.
    if (this.#visible.has(digest)) return
    this.#visible.add(digest)
    this.#shared.hold(digest, bytes)
  }

  #find(tagOrDigest: string): RawManifest | undefined {
    const digest = isDigest(tagOrDigest) ? tagOrDigest : this.#tags.get(tagOrDigest)
    return digest === undefined ? undefined : this.#manifests.get(digest)?.manifest
  }
}

/** Names in lexical order: those after `options.after`, and `options.limit` of them at most. */
export function* pageOf(names: Iterable<string>, options: ListOptions): Iterable<string> {
  const { after, limit = Number.POSITIVE_INFINITY } = options
  const sorted = [...names].filter(name => after === undefined || name > after).sort()
  yield* sorted.slice(0, limit)
}

async function readVerified(blob: BlobContent, label: string, context: Context): Promise<Buffer> {
  const { descriptor } = blob
  const stream = verifyStream(await blob.open(), descriptor, `blob ${descriptor.digest} for ${label}`)
  // Many puts at once listen to the one signal of a copy, which is no leak.
  setMaxListeners(0, context.signal)
  addAbortSignal(context.signal, stream)
  const chunks: Buffer[] = []
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  } catch (error) {
    checkSignal(context)
    throw error
  }
  return Buffer.concat(chunks)
}

function* chunksOf(bytes: Uint8Array, from: number): Iterable<Uint8Array> {
  for (let start = from; start < bytes.length; start += CHUNK_BYTES)
    yield bytes.subarray(start, start + CHUNK_BYTES)
}

function checkSignal(context: Context): void {
  if (context.signal.aborted) throw new InterruptedError(undefined, context.signal.reason)
}

function notFound(message: string, code: string): ContentError {
  return new ContentError(message, { kind: 'not-found', code })
}
