import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { createContext } from '../../src/content/context.js'
import type { Descriptor } from '../../src/content/descriptor.js'
import { algorithmOf, type DigestAlgorithm, digestOf } from '../../src/content/digest.js'
import { MediaType } from '../../src/content/media-types.js'
import { MemoryStore } from '../../src/content/memory-store.js'
import type { BlobContent, RawManifest, Store } from '../../src/content/store.js'
import { verifyStream } from '../../src/content/verify.js'

/** The digest of something that no test ever stores. */
export const MISSING = digestOf(Buffer.from('never stored'))

/** Bytes that look random and are the same each time. */
export function noise(length: number, seed: string): Buffer {
  const blocks: Buffer[] = []
  for (let size = 0; size < length; size += 32) {
    blocks.push(createHash('sha256').update(`${seed} ${size}`).digest())
  }
  return Buffer.concat(blocks).subarray(0, length)
}

export function descriptorOf(
  bytes: Uint8Array,
  mediaType: string = MediaType.ociLayer,
  algorithm: DigestAlgorithm = 'sha256',
): Descriptor {
  return { mediaType, digest: digestOf(bytes, algorithm), size: bytes.length }
}

/** A blob that is opened as the contract of BlobContent says: verified when it is read from its start. */
export function blobFrom(descriptor: Descriptor, stream: (from: number) => Readable): BlobContent {
  return {
    descriptor,
    origin: new MemoryStore('test'),
    open: async (from = 0) =>
      from === 0 ? verifyStream(stream(0), descriptor, `blob ${descriptor.digest}`) : stream(from),
  }
}

export function blobOf(bytes: Buffer, descriptor: Descriptor = descriptorOf(bytes)): BlobContent {
  return blobFrom(descriptor, from => streamOf(bytes.subarray(from)))
}

/** Bytes in pieces, so that a reader sees more than one chunk. */
export function streamOf(bytes: Buffer): Readable {
  const chunks: Buffer[] = []
  for (let start = 0; start < bytes.length; start += 100_000)
    chunks.push(bytes.subarray(start, start + 100_000))
  return Readable.from(chunks, { objectMode: false })
}

/** Reads a blob to its end. */
export async function readBlob(store: Store, descriptor: Descriptor, from?: number): Promise<Buffer> {
  const stream = await store.openBlob(descriptor, createContext(), from)
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

/** What {@link imageManifest} can be told. */
interface ImageFields {
  mediaType?: string
  algorithm?: DigestAlgorithm
  /** More or other fields of the manifest. */
  fields?: Record<string, unknown>
  /** Spaces for the JSON, to make bytes that nobody would write anew. */
  indent?: number
}

/** A manifest in JSON, as it would be pushed. */
export function manifestOf(
  document: Record<string, unknown>,
  mediaType: string,
  options: ImageFields = {},
): RawManifest {
  const bytes = Buffer.from(JSON.stringify(document, undefined, options.indent))
  return { descriptor: descriptorOf(bytes, mediaType, options.algorithm), bytes }
}

/** Puts config and layer of an image into a store, and makes the manifest that names them. */
export async function putImageBlobs(
  store: Store,
  seed: string,
  options: ImageFields = {},
): Promise<RawManifest> {
  const mediaType = options.mediaType ?? MediaType.ociManifest
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', seed }))
  const layer = noise(5000, seed)
  const descriptors = [
    descriptorOf(config, MediaType.ociConfig, options.algorithm),
    descriptorOf(layer, MediaType.ociLayer, options.algorithm),
  ] as const
  await store.putBlob(blobOf(config, descriptors[0]), createContext())
  await store.putBlob(blobOf(layer, descriptors[1]), createContext())
  const document = {
    schemaVersion: 2,
    mediaType,
    config: descriptors[0],
    layers: [descriptors[1]],
    ...options.fields,
  }
  return manifestOf(document, mediaType, options)
}

/** An index of some manifests. */
export function indexOf(
  manifests: readonly RawManifest[],
  fields: Record<string, unknown> = {},
): RawManifest {
  const document = {
    schemaVersion: 2,
    mediaType: MediaType.ociIndex,
    manifests: manifests.map(({ descriptor }) => descriptor),
    ...fields,
  }
  const first = manifests[0]
  return manifestOf(document, MediaType.ociIndex, {
    algorithm: first === undefined ? 'sha256' : algorithmOf(first.descriptor.digest),
  })
}
