import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Pack, pack } from 'tar-stream'
import { type Digest, Digester, digestOf, hexOf } from '../../src/content/digest.js'
import { buildLayer, configBytes, isRandom, type LayerContent } from './image-builder.js'
import { randomChunks } from './random-bytes.js'

/** One image of a docker-archive. */
export interface ArchiveImage {
  /** The base first. A layer that is named twice (the same object) is stored once. */
  layers: readonly LayerContent[]
  repoTags?: readonly string[]
}

/** What was written. */
export interface WrittenImage {
  /** The image ID. */
  configDigest: Digest
  diffIDs: readonly Digest[]
  /** Bytes of each layer's tar. */
  sizes: readonly number[]
}

/**
 * Writes a docker-archive (as `docker save` does) to a file. Layers that look random are made on the way, so an
 * archive of gigabytes takes no memory.
 *
 * @example
 * await writeDockerArchive(path, [{ layers: [{ seed: 1, size: 3e9 }], repoTags: ['acme/big:1'] }])
 */
export async function writeDockerArchive(
  path: string,
  images: readonly ArchiveImage[],
): Promise<WrittenImage[]> {
  const archive = pack()
  const done = pipeline(archive, createWriteStream(path))
  const [written] = await Promise.all([fill(archive, images), done])
  return written
}

async function fill(archive: Pack, images: readonly ArchiveImage[]): Promise<WrittenImage[]> {
  const stored = new Map<LayerContent, { name: string; diffID: Digest; size: number }>()
  const written: WrittenImage[] = []
  const manifest: object[] = []
  for (const image of images) {
    for (const content of image.layers) {
      if (stored.has(content)) continue
      const name = `layer-${stored.size}/layer.tar`
      stored.set(content, { name, ...(await writeLayer(archive, name, content)) })
    }
    const layers = image.layers.flatMap(content => stored.get(content) ?? [])
    const diffIDs = layers.map(layer => layer.diffID)
    const config = configBytes(diffIDs)
    const configDigest = digestOf(config)
    await writeEntry(archive, `${hexOf(configDigest)}.json`, config.length, [config])
    written.push({ configDigest, diffIDs, sizes: layers.map(layer => layer.size) })
    manifest.push({
      Config: `${hexOf(configDigest)}.json`,
      RepoTags: image.repoTags ?? null,
      Layers: layers.map(layer => layer.name),
    })
  }
  const bytes = Buffer.from(JSON.stringify(manifest))
  await writeEntry(archive, 'manifest.json', bytes.length, [bytes])
  archive.finalize()
  return written
}

async function writeLayer(
  archive: Pack,
  name: string,
  content: LayerContent,
): Promise<{ diffID: Digest; size: number }> {
  const digester = new Digester()
  if (isRandom(content)) {
    const size = 512 + Math.ceil(content.size / 512) * 512 + 1024
    await writeEntry(archive, name, size, digested(digester, layerOfOneFile(content.seed, content.size)))
  } else {
    const bytes = await buildLayer(content)
    await writeEntry(archive, name, bytes.length, digested(digester, [bytes]))
  }
  return { size: digester.size, diffID: digester.digest() }
}

/** The tar that `buildLayer` makes of the same content, piece by piece. */
async function* layerOfOneFile(seed: number, size: number): AsyncGenerator<Buffer> {
  const tar = pack()
  const entry = tar.entry({ name: 'data', mtime: new Date(0), size })
  const filled = pipeline(Readable.from(randomChunks(seed, size), { objectMode: false }), entry)
  filled.then(
    () => tar.finalize(),
    error => tar.destroy(error),
  )
  for await (const chunk of tar) yield chunk as Buffer
}

async function* digested(
  digester: Digester,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    digester.update(chunk)
    yield chunk
  }
}

async function writeEntry(
  archive: Pack,
  name: string,
  size: number,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<void> {
  await pipeline(chunks, archive.entry({ name, size, mtime: new Date(0) }))
}
