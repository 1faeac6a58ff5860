import { Readable } from 'node:stream'
import * as zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { buildImage, buildIndex } from '../../test/support/image-builder.js'
import { createContext } from '../content/context.js'
import { type Digest, digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { rawManifest } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import type { RawManifest } from '../content/store.js'
import { type Conversion, ConvertedSource } from './converted-source.js'

const context = createContext()
const BEST: Conversion = { compression: { algorithm: 'gzip', level: 9 } }
const LAYERS = [{ seed: 3, size: 30_000 }, { a: 'a\n' }]
const hasZstd = 'createZstdCompress' in zlib

async function storeOf(blobs: ReadonlyMap<Digest, Buffer>, ...manifests: RawManifest[]) {
  const store = new MemoryStore('base')
  for (const [digest, bytes] of blobs) {
    const descriptor = { mediaType: MediaType.ociLayer, digest, size: bytes.length }
    await store.putBlob({ descriptor, origin: store, open: async () => Readable.from([bytes]) }, context)
  }
  for (const manifest of manifests) await store.putManifest(manifest, [], context)
  return store
}

/** The document of a manifest, the warnings that reading it gave, and its layers' bytes. */
async function read(source: ConvertedSource, root: string) {
  const warnings: string[] = []
  const emit = (event: CopyEvent) => {
    if (event.type === 'warning') warnings.push(event.message)
  }
  const raw = await source.getManifest(root, createContext({ emit }))
  const document = JSON.parse(Buffer.from(raw.bytes).toString())
  const layers: Buffer[] = []
  for (const layer of document.layers ?? []) {
    const chunks: Buffer[] = []
    for await (const chunk of await source.openBlob(layer, context)) chunks.push(chunk as Buffer)
    const bytes = Buffer.concat(chunks)
    expect(layer).toMatchObject({ digest: digestOf(bytes), size: bytes.length })
    layers.push(bytes)
  }
  return { raw, document, warnings, layers }
}

describe('ConvertedSource', () => {
  it('compresses layers again, checks what they hold, and says that the digest is another one', async () => {
    const image = await buildImage({ layers: LAYERS, annotations: { kept: 'yes' } })
    const store = await storeOf(image.blobs, image.manifest)
    await using source = new ConvertedSource(store, BEST)
    const { raw, document, warnings, layers } = await read(source, image.manifest.descriptor.digest)
    expect(layers.map(layer => digestOf(zlib.gunzipSync(layer)))).toEqual(image.diffIDs)
    expect(document).toMatchObject({ mediaType: MediaType.ociManifest, annotations: { kept: 'yes' } })
    expect(document.config).toEqual(image.config)
    expect(warnings).toEqual([
      `memory:base is converted: its digest was ${image.manifest.descriptor.digest} and is now ${raw.descriptor.digest}`,
    ])
    await using again = new ConvertedSource(store, BEST)
    const second = await read(again, image.manifest.descriptor.digest)
    expect(second.raw.descriptor).toEqual(raw.descriptor)
  })

  it('makes gzip layers of plain ones, and leaves those that are gzip alone', async () => {
    const plain = await buildImage({ layers: LAYERS, compression: 'none' })
    const store = await storeOf(plain.blobs, plain.manifest)
    const gzip: Conversion = { compression: { algorithm: 'gzip' } }
    await using source = new ConvertedSource(store, gzip)
    const { document } = await read(source, plain.manifest.descriptor.digest)
    const types = document.layers.map((layer: { mediaType: string }) => layer.mediaType)
    expect(types).toEqual([MediaType.ociLayerGzip, MediaType.ociLayerGzip])

    const zipped = await buildImage({ layers: LAYERS })
    await using same = new ConvertedSource(await storeOf(zipped.blobs, zipped.manifest), gzip)
    const { raw, warnings } = await read(same, zipped.manifest.descriptor.digest)
    expect(raw.descriptor).toEqual(zipped.manifest.descriptor)
    expect(warnings).toEqual([])
  })

  it('makes plain layers, whose digests are the diffIDs', async () => {
    for (const docker of [false, true]) {
      const image = await buildImage({ layers: LAYERS, docker })
      const store = await storeOf(image.blobs, image.manifest)
      await using source = new ConvertedSource(store, { compression: { algorithm: 'none' } })
      const { document, layers } = await read(source, image.manifest.descriptor.digest)
      const mediaType = docker ? MediaType.dockerLayer : MediaType.ociLayer
      expect(document.layers).toMatchObject(image.diffIDs.map(digest => ({ digest, mediaType })))
      expect(document.config).toEqual(image.config)
      expect(layers.map(layer => digestOf(layer))).toEqual(image.diffIDs)
    }
  })

  it('refuses a layer that does not hold what its diffID says', async () => {
    const image = await buildImage({ layers: LAYERS })
    const text = image.blobs.get(image.config.digest)?.toString() ?? ''
    const wrong = Buffer.from(text.replace(image.diffIDs[0] ?? '', digestOf(Buffer.from('other'))))
    const config = { ...image.config, digest: digestOf(wrong), size: wrong.length }
    const document = { ...JSON.parse(Buffer.from(image.manifest.bytes).toString()), config }
    const manifest = rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
    const store = await storeOf(new Map([...image.blobs, [config.digest, wrong]]), manifest)
    await using source = new ConvertedSource(store, { compression: { algorithm: 'none' } })
    await expect(read(source, manifest.descriptor.digest)).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'digest-mismatch',
    })
  })

  it(hasZstd ? 'makes zstd layers, and gzip ones of them' : 'has no zstd on this Node', async () => {
    const image = await buildImage({ layers: LAYERS })
    const store = await storeOf(image.blobs, image.manifest)
    await using source = new ConvertedSource(store, { compression: { algorithm: 'zstd' } })
    const reading = read(source, image.manifest.descriptor.digest)
    if (!hasZstd) {
      await expect(reading).rejects.toMatchObject({ kind: 'usage', code: 'zstd-unavailable' })
      return
    }
    const { document, layers, raw } = await reading
    expect(document.layers[0].mediaType).toBe(MediaType.ociLayerZstd)
    expect(layers[0]?.readUInt32LE()).toBe(0xfd2fb528)
    const blobs = new Map([...image.blobs, ...layers.map(bytes => [digestOf(bytes), bytes] as const)])
    await using back = new ConvertedSource(await storeOf(blobs, raw), BEST)
    const returned = await read(back, raw.descriptor.digest)
    expect(returned.layers.map(layer => digestOf(zlib.gunzipSync(layer)))).toEqual(image.diffIDs)
  })

  it('changes an index with its images, and names them right in attestations', async () => {
    const images = await Promise.all([
      buildImage({ layers: LAYERS }),
      buildImage({ layers: [LAYERS[1] ?? {}], platform: { os: 'linux', architecture: 'arm64' } }),
    ])
    const attestation = rawManifest(
      MediaType.ociManifest,
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MediaType.ociManifest,
          config: images[0]?.config,
          layers: [
            { mediaType: 'application/vnd.in-toto+json', digest: images[0]?.layers[0]?.digest, size: 5 },
          ],
        }),
      ),
    )
    const reference = 'vnd.docker.reference.digest'
    const index = buildIndex([
      ...images.map(({ manifest }) => ({ manifest })),
      {
        manifest: attestation,
        annotations: { [reference]: images[0]?.manifest.descriptor.digest ?? '', other: 'kept' },
      },
    ])
    const blobs = new Map(images.flatMap(image => [...image.blobs]))
    const manifests = images.map(({ manifest }) => manifest)
    const store = await storeOf(blobs, ...manifests, attestation, index)
    await using source = new ConvertedSource(store, BEST)
    const { raw, document } = await read(source, index.descriptor.digest)
    expect(raw.descriptor.digest).not.toBe(index.descriptor.digest)
    const [first, second, third] = document.manifests
    expect(first.digest).not.toBe(images[0]?.manifest.descriptor.digest)
    expect(second.digest).not.toBe(images[1]?.manifest.descriptor.digest)
    expect(third).toMatchObject({
      digest: attestation.descriptor.digest,
      annotations: { [reference]: first.digest, other: 'kept' },
    })
    for (const child of document.manifests) {
      expect((await source.getManifest(child.digest, context)).descriptor).toMatchObject({
        digest: child.digest,
        size: child.size,
      })
    }
  })

  it("changes an image to Docker's types and back, with the same blobs and the first bytes' digests", async () => {
    const image = await buildImage({ layers: LAYERS })
    const store = await storeOf(image.blobs, image.manifest)
    await using docker = new ConvertedSource(store, { format: 'docker' })
    const there = await read(docker, image.manifest.descriptor.digest)
    expect(there.document).toMatchObject({
      mediaType: MediaType.dockerManifest,
      config: { mediaType: MediaType.dockerConfig, digest: image.config.digest },
      layers: image.layers.map(({ digest }) => ({ mediaType: MediaType.dockerLayerGzip, digest })),
    })
    await using oci = new ConvertedSource(await storeOf(image.blobs, there.raw), { format: 'oci' })
    const back = await read(oci, there.raw.descriptor.digest)
    expect(back.raw.descriptor.digest).toBe(image.manifest.descriptor.digest)
  })

  it("changes an index's type with that of its images", async () => {
    const image = await buildImage({ docker: true })
    const list = buildIndex([{ manifest: image.manifest }], { docker: true })
    await using source = new ConvertedSource(await storeOf(image.blobs, image.manifest, list), {
      format: 'oci',
    })
    const { raw, document } = await read(source, list.descriptor.digest)
    expect(raw.descriptor.mediaType).toBe(MediaType.ociIndex)
    expect(document).toMatchObject({
      mediaType: MediaType.ociIndex,
      manifests: [{ mediaType: MediaType.ociManifest }],
    })
  })

  it("refuses what Docker's types can't express", async () => {
    const annotated = await buildImage({ annotations: { a: 'b' } })
    await using source = new ConvertedSource(await storeOf(annotated.blobs, annotated.manifest), {
      format: 'docker',
    })
    await expect(source.getManifest(annotated.manifest.descriptor.digest, context)).rejects.toMatchObject({
      kind: 'usage',
      code: 'format-conflict',
      message: "memory:base has annotations or a subject, which a Docker manifest can't express",
    })
  })

  it('refuses a layer that does not hold what its diffID says, and one that is damaged', async () => {
    const image = await buildImage({ layers: LAYERS })
    const other = await buildImage({ layers: [LAYERS[1] ?? {}, LAYERS[0] ?? {}] })
    // The layers of one with the config of the other.
    const document = { ...JSON.parse(Buffer.from(image.manifest.bytes).toString()), config: other.config }
    const lying = rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
    const blobs = new Map([...image.blobs, ...other.blobs])
    await using source = new ConvertedSource(await storeOf(blobs, lying), BEST)
    await expect(source.getManifest(lying.descriptor.digest, context)).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'digest-mismatch',
      message: expect.stringContaining('uncompressed, should have the digest'),
    })

    const store = await storeOf(image.blobs, image.manifest)
    const open = store.openBlob.bind(store)
    store.openBlob = async (descriptor, within, from) => {
      if (descriptor.digest === image.config.digest) return await open(descriptor, within, from)
      const bytes = Buffer.from(image.blobs.get(descriptor.digest) ?? '')
      bytes[20] = (bytes[20] ?? 0) ^ 1
      return Readable.from([bytes])
    }
    await using damaged = new ConvertedSource(store, BEST)
    await expect(damaged.getManifest(image.manifest.descriptor.digest, context)).rejects.toMatchObject({
      kind: 'corrupt',
    })
  })
})
