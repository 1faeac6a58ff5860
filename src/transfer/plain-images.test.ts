import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type BuiltImage, buildImage } from '../../test/support/image-builder.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import { rawManifest } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import type { RawManifest } from '../content/store.js'
import { LayoutArchiveSink } from '../layout/layout-archive-sink.js'
import { PlainImages } from './plain-images.js'

const context = createContext()
let folder: string
let image: BuiltImage
let store: MemoryStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-plain-'))
  image = await buildImage({ layers: [{ seed: 7, size: 300_000 }, { a: 'a\n' }] })
  store = new MemoryStore('source')
  for (const bytes of image.blobs.values()) await putBlob(bytes)
  await store.putManifest(image.manifest, [], context)
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

async function putBlob(bytes: Buffer) {
  const mediaType = bytes[0] === 0x1f ? MediaType.ociLayerGzip : MediaType.ociLayer
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
  await store.putBlob({ descriptor, origin: store, open: async () => Readable.from([bytes]) }, context)
  return descriptor
}

/** The same image with other bytes in place of those of its first layer. */
async function withLayer(make: (plain: Buffer) => Buffer): Promise<RawManifest> {
  const plain = gunzipSync(image.blobs.get(image.layers[0]?.digest ?? 'sha256:') ?? '')
  const document = JSON.parse(`${Buffer.from(image.manifest.bytes)}`)
  document.layers[0] = await putBlob(make(plain))
  const manifest = rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
  await store.putManifest(manifest, [], context)
  return manifest
}

async function archiveOf(manifest: RawManifest, target: string | PassThrough): Promise<Buffer> {
  const gathered = typeof target === 'string' ? undefined : buffer(target)
  {
    await using archive = await LayoutArchiveSink.open(target)
    const images = await PlainImages.into(archive)
    const names = { repository: 'localhost:5000/app', tags: ['1'] }
    const result = await images.download(store, manifest.descriptor.digest, names, context, {})
    expect(result.targets[0]?.error).toBeUndefined()
    const written = await images.commit(context)
    expect([...written.keys()]).toEqual([manifest.descriptor.digest])
  }
  if (typeof target === 'string') return await readFile(target)
  target.end()
  return (await gathered) ?? Buffer.alloc(0)
}

it('makes one archive of an image, however its layers are compressed and wherever it is written (R191)', async () => {
  const expected = await archiveOf(image.manifest, join(folder, 'image.tar'))
  const ways: ((plain: Buffer) => Buffer)[] = [
    plain => gzipSync(plain, { level: 0 }),
    // The trailer tells the size of the last member alone, be that likely or not.
    plain => Buffer.concat([gzipSync(plain.subarray(0, 1000)), gzipSync(plain.subarray(1000))]),
    plain => Buffer.concat([gzipSync(plain), gzipSync('')]),
    plain => Buffer.concat([gzipSync(plain), Buffer.alloc(512)]),
    plain => plain,
  ]
  for (const [position, way] of ways.entries()) {
    const bytes = await archiveOf(await withLayer(way), join(folder, `${position}.tar`))
    expect(bytes.equals(expected)).toBe(true)
  }
  expect((await archiveOf(image.manifest, new PassThrough())).equals(expected)).toBe(true)
  expect(await readdir(folder)).toHaveLength(ways.length + 1)
})

it('refuses a layer that holds something else than its diffID says, and leaves nothing', async () => {
  const wrong = await withLayer(plain => gzipSync(Buffer.from(plain).fill(1, 2000, 2001)))
  await expect(archiveOf(wrong, join(folder, 'image.tar'))).rejects.toMatchObject({
    kind: 'corrupt',
    code: 'digest-mismatch',
    message: expect.stringContaining(', uncompressed, should have the digest '),
  })
  expect(await readdir(folder)).toEqual([])
})

it('refuses a layer that is damaged within', async () => {
  const damaged = await withLayer(plain => {
    const bytes = gzipSync(plain)
    bytes.writeUInt32LE(1, bytes.length - 8)
    return bytes
  })
  await expect(archiveOf(damaged, join(folder, 'image.tar'))).rejects.toMatchObject({
    kind: 'corrupt',
    code: 'corrupt-compression',
  })
})
