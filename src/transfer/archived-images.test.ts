import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
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
import type { RawManifest, Source } from '../content/store.js'
import { LayoutArchiveSink } from '../layout/layout-archive-sink.js'
import { ArchivedImages, type ArchivedImagesOptions } from './archived-images.js'

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

/** Writes while it downloads. */
const EARLY: ArchivedImagesOptions = { uncompressed: true, isAlone: true, earlyFromBytes: 0 }
const LATER: ArchivedImagesOptions = { uncompressed: true, isAlone: false }

async function archiveOf(
  manifest: RawManifest,
  target: string | PassThrough,
  options = LATER,
  source: Source = store,
): Promise<Buffer> {
  const gathered = typeof target === 'string' ? undefined : buffer(target)
  {
    await using archive = await LayoutArchiveSink.open(target)
    const images = await ArchivedImages.into(archive, options)
    const names = { repository: 'localhost:5000/app', tags: ['1'] }
    const result = await images.download(source, manifest.descriptor.digest, names, context, {})
    const error = result.targets[0]?.error
    if (error !== undefined) throw error
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

/** The images of the store, as a registry gives them. */
function registryOf(changes: Partial<Source>): Source {
  return {
    label: 'registry',
    getManifest: (name, context) => store.getManifest(name, context),
    openBlob: (descriptor, context, from) => store.openBlob(descriptor, context, from),
    readBlobEnd: async (descriptor, bytes, context) =>
      await buffer(await store.openBlob(descriptor, context, descriptor.size - bytes)),
    listReferrers: async () => [],
    async [Symbol.asyncDispose]() {},
    ...changes,
  }
}

/** Waits until the archive that is not complete has some bytes. */
async function begunBeside(name: string): Promise<void> {
  for (;;) {
    const found = (await readdir(folder)).filter(other => other.startsWith(`.${name}`))
    const archives = found.map(other => stat(join(folder, other, 'archive')).catch(() => undefined))
    if ((await Promise.all(archives)).some(archive => archive !== undefined && archive.size > 0)) return
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

it.each([true, false])(
  'writes an image while it is being downloaded (plain layers: %s)',
  async uncompressed => {
    const later = { uncompressed, isAlone: false }
    const expected = await archiveOf(image.manifest, join(folder, 'later.tar'), later)
    const [layer] = image.layers
    const source = registryOf({
      openBlob: async (descriptor, context, from) => {
        const bytes = await buffer(await store.openBlob(descriptor, context, from))
        if (descriptor.digest !== layer?.digest) return Readable.from([bytes], { objectMode: false })
        const pieces = async function* () {
          yield bytes.subarray(0, 1000)
          await begunBeside('early.tar')
          yield bytes.subarray(1000)
        }
        return Readable.from(pieces(), { objectMode: false })
      },
    })
    const options = { ...EARLY, uncompressed }
    expect(
      (await archiveOf(image.manifest, join(folder, 'early.tar'), options, source)).equals(expected),
    ).toBe(true)
    expect((await readdir(folder)).sort()).toEqual(['early.tar', 'later.tar'])
  },
)

it('writes an image afterwards where its layers turn out other than their ends said', async () => {
  const expected = await archiveOf(image.manifest, join(folder, 'later.tar'))
  const sources = [
    registryOf({ readBlobEnd: async () => undefined }),
    registryOf({ readBlobEnd: async () => Buffer.from([0, 0, 9, 0]) }),
  ]
  for (const [position, source] of sources.entries()) {
    const path = join(folder, `${position}.tar`)
    expect((await archiveOf(image.manifest, path, EARLY, source)).equals(expected)).toBe(true)
  }
  expect(await readdir(folder)).toHaveLength(3)
})

it.each([true, false])(
  'writes a layer that came wrong at first (plain layers: %s; R247)',
  async uncompressed => {
    const expected = await archiveOf(image.manifest, join(folder, 'later.tar'), {
      uncompressed,
      isAlone: false,
    })
    let wrong = 0
    const source = registryOf({
      openBlob: async (descriptor, context, from) => {
        const bytes = await buffer(await store.openBlob(descriptor, context, from))
        if (descriptor.digest === image.layers[0]?.digest && wrong++ === 0)
          bytes[5000] = (bytes[5000] ?? 0) ^ 1
        return Readable.from([bytes.subarray(0, 9000), bytes.subarray(9000)], { objectMode: false })
      },
      rejectBlob: () => true,
    })
    const path = join(folder, 'early.tar')
    expect((await archiveOf(image.manifest, path, { ...EARLY, uncompressed }, source)).equals(expected)).toBe(
      true,
    )
    expect(wrong).toBe(2)
  },
)

it('leaves nothing when the download fails', async () => {
  const source = registryOf({
    openBlob: async (descriptor, context, from) => {
      if (descriptor.digest !== image.layers[0]?.digest)
        return await store.openBlob(descriptor, context, from)
      const bytes = await buffer(await store.openBlob(descriptor, context, from))
      const pieces = async function* () {
        yield bytes.subarray(0, 9000)
        await begunBeside('image.tar')
        throw new Error('the line is cut')
      }
      return Readable.from(pieces(), { objectMode: false })
    },
  })
  await expect(archiveOf(image.manifest, join(folder, 'image.tar'), EARLY, source)).rejects.toThrow('cut')
  expect(await readdir(folder)).toEqual([])
})
