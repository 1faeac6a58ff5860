import { Readable } from 'node:stream'
import { ContentError } from '../../src/content/content-error.js'
import { createContext } from '../../src/content/context.js'
import type { Descriptor } from '../../src/content/descriptor.js'
import { digestOf } from '../../src/content/digest.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import { MemoryStore } from '../../src/content/memory-store.js'
import type { BlobContent, Context, RawManifest } from '../../src/content/store.js'

const context = createContext()

/** Counts what is put into it and asked of it, and can fail. */
export class CountingStore extends MemoryStore {
  /** Digests of blobs; of manifests with the tags after them. */
  readonly put: string[] = []
  /** The digests of the blobs that were asked for. */
  readonly asked: string[] = []
  failOn: string | undefined

  override async hasBlob(descriptor: Descriptor) {
    this.asked.push(descriptor.digest)
    return await super.hasBlob(descriptor)
  }

  override async putBlob(blob: BlobContent, within: Context) {
    if (blob.descriptor.digest === this.failOn)
      throw new ContentError('no room', { kind: 'failed', code: 'no-room' })
    const result = await super.putBlob(blob, within)
    if (result === 'copied') this.put.push(blob.descriptor.digest)
    return result
  }

  override async putManifest(manifest: RawManifest, tags: readonly string[], within: Context) {
    await super.putManifest(manifest, tags, within)
    this.put.push([manifest.descriptor.digest, ...tags].join(' '))
  }
}

/** Text as a blob. */
export function blobOf(text: string, mediaType: string): { descriptor: Descriptor; bytes: Buffer } {
  const bytes = Buffer.from(text)
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes }
}

/** A document as a manifest or index. */
export function manifestOf(document: object, mediaType: string): RawManifest {
  return rawManifest(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...document })))
}

/** Puts a blob into a store. */
export async function putBlob(
  store: MemoryStore,
  { descriptor, bytes }: { descriptor: Descriptor; bytes: Buffer },
) {
  const open = async (from = 0) => Readable.from([bytes.subarray(from)], { objectMode: false })
  await store.putBlob({ descriptor, origin: store, open }, context)
}

/** An image with these layers; the last layer is named twice. */
export async function putImage(
  store: MemoryStore,
  layers: string[],
  tags: string[] = [],
): Promise<RawManifest> {
  const diffIDs = layers.map(text => digestOf(Buffer.from(`plain ${text}`)))
  const config = blobOf(JSON.stringify({ rootfs: { diff_ids: diffIDs }, layers }), MediaType.ociConfig)
  const blobs = layers.map(text => blobOf(text, MediaType.ociLayerGzip))
  for (const blob of [config, ...blobs]) await putBlob(store, blob)
  const manifest = manifestOf(
    { config: config.descriptor, layers: blobs.map(({ descriptor }) => descriptor) },
    MediaType.ociManifest,
  )
  await store.putManifest(manifest, tags, context)
  return manifest
}

/** Puts an index of these manifests. */
export async function putIndex(
  store: MemoryStore,
  children: RawManifest[],
  tags: string[],
): Promise<RawManifest> {
  const index = manifestOf({ manifests: children.map(({ descriptor }) => descriptor) }, MediaType.ociIndex)
  await store.putManifest(index, tags, context)
  return index
}

/** Puts an artifact that refers to another manifest, with one blob of its own. */
export async function putReferrer(
  store: MemoryStore,
  subject: RawManifest,
  text: string,
  tags: string[] = [],
): Promise<RawManifest> {
  const [config, blob] = [blobOf('{}', MediaType.ociEmpty), blobOf(text, 'text/plain')]
  for (const one of [config, blob]) await putBlob(store, one)
  const manifest = manifestOf(
    {
      artifactType: 'text/plain',
      config: config.descriptor,
      layers: [blob.descriptor],
      subject: subject.descriptor,
    },
    MediaType.ociManifest,
  )
  await store.putManifest(manifest, tags, context)
  return manifest
}
