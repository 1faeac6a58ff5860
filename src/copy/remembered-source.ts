import { Readable } from 'node:stream'
import { blobChunksOf, type Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { isImageConfigType } from '../content/media-types.js'
import type { Context, RawManifest } from '../content/store.js'
import { readLimited } from '../content/verify.js'
import { ForwardingSource } from './forwarding-source.js'

/** Larger configs are not kept in memory. Those of images that people build have a few thousand bytes. */
const CONFIG_BYTES = 256 * 1024

/**
 * A source whose manifests and configs are read once, however often they are asked for: each is a request that a registry may
 * count (rule R196), and a tag that moves meanwhile is still the same image. Everything else is the base's, which is not
 * disposed with this one. For the time of one copy, which holds its manifests in memory anyway.
 */
export class RememberedSource extends ForwardingSource {
  readonly #manifests = new Map<string, RawManifest>()
  readonly #configs = new Map<Digest, Promise<Buffer>>()

  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    const known = this.#manifests.get(tagOrDigest)
    if (known !== undefined) return known
    const manifest = await this.base.getManifest(tagOrDigest, context)
    this.#manifests.set(tagOrDigest, manifest).set(manifest.descriptor.digest, manifest)
    return manifest
  }

  override async openBlob(descriptor: Descriptor, context: Context, from = 0): Promise<Readable> {
    if (!isKept(descriptor)) return await super.openBlob(descriptor, context, from)
    const config = await this.#readConfig(descriptor, context)
    return Readable.from([config.subarray(from)])
  }

  override blobChunks(descriptor: Descriptor, context: Context, from = 0): Chunks {
    return isKept(descriptor)
      ? this.#configChunks(descriptor, context, from)
      : super.blobChunks(descriptor, context, from)
  }

  override rejectBlob(digest: Digest, context: Context): boolean {
    this.#configs.delete(digest)
    return super.rejectBlob(digest, context)
  }

  async *#configChunks(descriptor: Descriptor, context: Context, from: number): Chunks {
    yield (await this.#readConfig(descriptor, context)).subarray(from)
  }

  /** It is read to tell the layers, and to be put beside them at the same time. What fails is read again when it is wanted. */
  #readConfig(descriptor: Descriptor, context: Context): Promise<Buffer> {
    const { digest } = descriptor
    const known = this.#configs.get(digest)
    if (known !== undefined) return known
    const what = `config ${digest} of ${this.label}`
    const reading = readLimited(blobChunksOf(this.base, descriptor, context), CONFIG_BYTES, what)
    this.#configs.set(digest, reading)
    reading.catch(() => this.#configs.delete(digest))
    return reading
  }
}

function isKept({ mediaType, size }: Descriptor): boolean {
  return isImageConfigType(mediaType) && size <= CONFIG_BYTES
}
