import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { digestOf } from '../../src/content/digest.js'
import { MediaType } from '../../src/content/media-types.js'
import type { Store } from '../../src/content/store.js'
import {
  blobFrom,
  blobOf,
  collect,
  descriptorOf,
  indexOf,
  manifestOf,
  noise,
  putImageBlobs,
  readBlob,
} from './store-fixtures.js'

/** What some stores can't do. */
export type StoreFeature = 'delete-blob' | 'delete-manifest' | 'delete-tag' | 'referrers' | 'sha512'

export interface StoreContractOptions {
  /** Features that are left out, each with the reason, which is printed. */
  without?: Partial<Record<StoreFeature, string>>
}

const context = createContext()
const MISSING = digestOf(Buffer.from('never stored'))

/**
 * The rules that every Store keeps, as tests. `make` gives an empty store for each; it is disposed of by
 * `dispose`, which also removes what lies beneath.
 */
export function describeStoreContract(
  name: string,
  make: () => Promise<{ store: Store; dispose(): Promise<void> }>,
  options: StoreContractOptions = {},
): void {
  const can = (feature: StoreFeature): boolean => {
    const reason = options.without?.[feature]
    if (reason !== undefined) console.info(`${name}: no tests of ${feature}: ${reason}`)
    return reason === undefined
  }

  describe(`${name} as a Store`, () => {
    let store: Store
    let dispose: () => Promise<void>

    beforeEach(async () => {
      ;({ store, dispose } = await make())
    })
    afterEach(async () => {
      await dispose()
    })

    describe('blobs', () => {
      test('gives back the bytes that were put', async () => {
        const bytes = noise(3_000_000, 'large')
        const blob = blobOf(bytes)
        expect(await store.putBlob(blob, context)).toBe('copied')
        expect(await store.hasBlob(blob.descriptor, context)).toBe(true)
        expect(await store.statBlob(blob.descriptor.digest, context)).toBe(bytes.length)
        expect((await readBlob(store, blob.descriptor)).equals(bytes)).toBe(true)
      })

      test('opens a blob from an offset', async () => {
        const bytes = noise(300_000, 'offset')
        const blob = blobOf(bytes)
        await store.putBlob(blob, context)
        for (const from of [1, 150_000, bytes.length - 1]) {
          expect((await readBlob(store, blob.descriptor, from)).equals(bytes.subarray(from))).toBe(true)
        }
      })

      test('lets a stream be destroyed before its end', async () => {
        const blob = blobOf(noise(3_000_000, 'destroyed'))
        await store.putBlob(blob, context)
        const stream = await store.openBlob(blob.descriptor, context)
        for await (const _chunk of stream) break
        expect(stream.destroyed).toBe(true)
        expect(await store.statBlob(blob.descriptor.digest, context)).toBe(3_000_000)
      })

      test('keeps an empty blob', async () => {
        const blob = blobOf(Buffer.alloc(0))
        await store.putBlob(blob, context)
        expect(await store.hasBlob(blob.descriptor, context)).toBe(true)
        expect(await store.statBlob(blob.descriptor.digest, context)).toBe(0)
        expect(await readBlob(store, blob.descriptor)).toHaveLength(0)
      })

      test('says that a blob is there when it is put again', async () => {
        const blob = blobOf(noise(1000, 'again'))
        await store.putBlob(blob, context)
        expect(await store.putBlob(blob, context)).toBe('exists')
      })

      test('takes the same blob twice at the same time', async () => {
        const bytes = noise(500_000, 'twice')
        const blob = blobOf(bytes)
        const results = await Promise.all([store.putBlob(blob, context), store.putBlob(blob, context)])
        expect(results.every(result => result === 'copied' || result === 'exists')).toBe(true)
        expect((await readBlob(store, blob.descriptor)).equals(bytes)).toBe(true)
      })

      test('takes many blobs at the same time', async () => {
        const blobs = Array.from({ length: 20 }, (_, position) => noise(2000 + position, `many ${position}`))
        await Promise.all(blobs.map(bytes => store.putBlob(blobOf(bytes), context)))
        for (const bytes of blobs) {
          expect((await readBlob(store, descriptorOf(bytes))).equals(bytes)).toBe(true)
        }
      })

      test('knows nothing of a blob that was never put', async () => {
        const descriptor = { mediaType: MediaType.ociLayer, digest: MISSING, size: 12 }
        expect(await store.hasBlob(descriptor, context)).toBe(false)
        expect(await store.statBlob(MISSING, context)).toBeUndefined()
        await expect(store.openBlob(descriptor, context)).rejects.toMatchObject({ kind: 'not-found' })
      })

      test('does not take a blob of another size for the one asked for', async () => {
        const blob = blobOf(noise(1000, 'size'))
        await store.putBlob(blob, context)
        expect(await store.hasBlob({ ...blob.descriptor, size: 999 }, context)).toBe(false)
      })
    })

    describe('blobs that fail', () => {
      const isAbsent = async (bytes: Buffer) => {
        const descriptor = descriptorOf(bytes)
        expect(await store.hasBlob(descriptor, context)).toBe(false)
        expect(await store.statBlob(descriptor.digest, context)).toBeUndefined()
      }

      test('refuses bytes with another digest, and shows nothing of them', async () => {
        const wanted = noise(200_000, 'wanted')
        const other = noise(200_000, 'other')
        await expect(store.putBlob(blobOf(other, descriptorOf(wanted)), context)).rejects.toMatchObject({
          kind: 'corrupt',
          message: expect.stringContaining('should have the digest'),
        })
        await isAbsent(wanted)
        await isAbsent(other)
      })

      test.each([
        ['fewer', 199_999],
        ['more', 200_001],
      ])('refuses %s bytes than the size says', async (_word, size) => {
        const bytes = noise(200_000, 'sized')
        const blob = blobOf(bytes, { ...descriptorOf(bytes), size })
        await expect(store.putBlob(blob, context)).rejects.toMatchObject({ kind: 'corrupt' })
        await isAbsent(bytes)
      })

      test('keeps nothing of a stream that fails, and takes the blob afterwards', async () => {
        const bytes = noise(400_000, 'failing')
        const failing = blobFrom(descriptorOf(bytes), from => Readable.from(partThenFailure(bytes, from)))
        await expect(store.putBlob(failing, context)).rejects.toThrow()
        await isAbsent(bytes)
        expect(await store.putBlob(blobOf(bytes), context)).toBe('copied')
        expect((await readBlob(store, descriptorOf(bytes))).equals(bytes)).toBe(true)
      })

      test('ends soon when it is aborted, and keeps nothing', async () => {
        const bytes = noise(400_000, 'aborted')
        const controller = new AbortController()
        const endless = blobFrom(descriptorOf(bytes), () => Readable.from(partThenAbort(bytes, controller)))
        const put = store.putBlob(endless, createContext({ signal: controller.signal }))
        await expect(put).rejects.toThrow()
        await isAbsent(bytes)
      })

      test('starts nothing when it is aborted already', async () => {
        const bytes = noise(1000, 'aborted before')
        const aborted = createContext({ signal: AbortSignal.abort() })
        await expect(store.putBlob(blobOf(bytes), aborted)).rejects.toThrow()
        await isAbsent(bytes)
      })
    })

    describe('manifests', () => {
      test('gives back the exact bytes by digest and by each tag', async () => {
        const manifest = await putImageBlobs(store, 'exact', {
          indent: 3,
          fields: { 'x-unknown': [1, null] },
        })
        await store.putManifest(manifest, ['1.0', 'latest'], context)
        for (const name of [manifest.descriptor.digest, '1.0', 'latest']) {
          const found = await store.getManifest(name, context)
          expect(Buffer.from(found.bytes).equals(manifest.bytes)).toBe(true)
          expect(found.descriptor).toMatchObject(manifest.descriptor)
          expect(await store.statManifest(name, context)).toMatchObject(manifest.descriptor)
        }
        expect(await store.hasManifest(manifest.descriptor.digest, context)).toBe(true)
      })

      test('keeps the media type of each kind', async () => {
        const oci = await putImageBlobs(store, 'oci')
        const docker = await putImageBlobs(store, 'docker', { mediaType: MediaType.dockerManifest })
        const index = indexOf([oci])
        const entries = { manifests: [docker.descriptor] }
        const list = manifestOf(
          { schemaVersion: 2, mediaType: MediaType.dockerManifestList, ...entries },
          MediaType.dockerManifestList,
        )
        for (const manifest of [oci, docker, index, list]) {
          await store.putManifest(manifest, [], context)
          const found = await store.statManifest(manifest.descriptor.digest, context)
          expect(found?.mediaType).toBe(manifest.descriptor.mediaType)
        }
      })

      test('keeps a manifest that names no media type itself', async () => {
        const manifest = await putImageBlobs(store, 'silent', { fields: { mediaType: undefined } })
        await store.putManifest(manifest, ['silent'], context)
        expect((await store.getManifest('silent', context)).descriptor).toMatchObject(manifest.descriptor)
      })

      test('keeps an index in an index, and an empty index', async () => {
        const image = await putImageBlobs(store, 'nested')
        const inner = indexOf([image])
        const outer = indexOf([inner])
        const empty = indexOf([])
        for (const manifest of [image, inner, outer, empty]) await store.putManifest(manifest, [], context)
        for (const { descriptor, bytes } of [inner, outer, empty]) {
          const found = await store.getManifest(descriptor.digest, context)
          expect(Buffer.from(found.bytes).equals(bytes)).toBe(true)
        }
      })

      test('moves a tag to another manifest, and keeps the first by its digest', async () => {
        const first = await putImageBlobs(store, 'first')
        const second = await putImageBlobs(store, 'second')
        await store.putManifest(first, ['moving'], context)
        await store.putManifest(second, ['moving'], context)
        expect((await store.getManifest('moving', context)).descriptor.digest).toBe(second.descriptor.digest)
        expect(await store.hasManifest(first.descriptor.digest, context)).toBe(true)
      })

      test('adds a tag to a manifest that is there', async () => {
        const manifest = await putImageBlobs(store, 'more tags')
        await store.putManifest(manifest, ['one'], context)
        await store.putManifest(manifest, ['two'], context)
        expect(await collect(store.listTags(context))).toEqual(['one', 'two'])
      })

      test('refuses bytes that are not what their descriptor says', async () => {
        const manifest = await putImageBlobs(store, 'forged')
        const forged = { ...manifest, bytes: Buffer.concat([manifest.bytes, Buffer.from(' ')]) }
        await expect(store.putManifest(forged, ['forged'], context)).rejects.toThrow()
        expect(await store.statManifest(manifest.descriptor.digest, context)).toBeUndefined()
        expect(await store.statManifest('forged', context)).toBeUndefined()
      })

      test('knows nothing of a manifest that was never put', async () => {
        await store.putManifest(await putImageBlobs(store, 'other'), ['other'], context)
        expect(await store.hasManifest(MISSING, context)).toBe(false)
        for (const name of [MISSING, 'missing']) {
          expect(await store.statManifest(name, context)).toBeUndefined()
          await expect(store.getManifest(name, context)).rejects.toMatchObject({ kind: 'not-found' })
        }
      })

      test('puts many manifests at the same time', async () => {
        const manifests = await Promise.all(
          Array.from({ length: 10 }, (_, position) => putImageBlobs(store, `parallel ${position}`)),
        )
        await Promise.all(
          manifests.map((manifest, position) => store.putManifest(manifest, [`t${position}`], context)),
        )
        expect(await collect(store.listTags(context))).toHaveLength(10)
      })
    })

    describe('tags', () => {
      test('lists none when there is none', async () => {
        await store.putManifest(await putImageBlobs(store, 'untagged'), [], context)
        expect(await collect(store.listTags(context))).toEqual([])
      })

      test('lists them in lexical order, after one and up to a number', async () => {
        const tags = ['10', '2', 'A', 'a', 'b', 'c.1', 'c_1']
        await store.putManifest(await putImageBlobs(store, 'tags'), tags.toReversed(), context)
        expect(await collect(store.listTags(context))).toEqual(tags)
        expect(await collect(store.listTags(context, { after: 'a' }))).toEqual(['b', 'c.1', 'c_1'])
        expect(await collect(store.listTags(context, { after: 'aa', limit: 2 }))).toEqual(['b', 'c.1'])
        expect(await collect(store.listTags(context, { limit: 3 }))).toEqual(['10', '2', 'A'])
        expect(await collect(store.listTags(context, { after: 'zzz' }))).toEqual([])
      })
    })

    if (can('sha512')) {
      test('keeps blobs and manifests by their sha512', async () => {
        const manifest = await putImageBlobs(store, 'sha512', { algorithm: 'sha512' })
        await store.putManifest(manifest, [], context)
        expect(manifest.descriptor.digest).toMatch(/^sha512:/)
        const found = await store.getManifest(manifest.descriptor.digest, context)
        expect(Buffer.from(found.bytes).equals(manifest.bytes)).toBe(true)
        const layer = noise(5000, 'sha512')
        const descriptor = descriptorOf(layer, MediaType.ociLayer, 'sha512')
        expect((await readBlob(store, descriptor)).equals(layer)).toBe(true)
        expect(await store.statBlob(descriptor.digest, context)).toBe(5000)
      })
    }

    if (can('referrers')) describeReferrers(() => store)
    if (can('delete-tag')) {
      test('deletes a tag and nothing else', async () => {
        const manifest = await putImageBlobs(store, 'untag')
        await store.putManifest(manifest, ['one', 'two'], context)
        expect(await store.deleteTag('one', context)).toBe(true)
        expect(await store.deleteTag('one', context)).toBe(false)
        expect(await collect(store.listTags(context))).toEqual(['two'])
        expect(await store.hasManifest(manifest.descriptor.digest, context)).toBe(true)
      })
    }
    if (can('delete-manifest')) {
      test('deletes a manifest with all its tags, and no other', async () => {
        const doomed = await putImageBlobs(store, 'doomed')
        const kept = await putImageBlobs(store, 'kept')
        await store.putManifest(doomed, ['one', 'two'], context)
        await store.putManifest(kept, ['three'], context)
        expect(await store.deleteManifest(doomed.descriptor.digest, context)).toBe(true)
        expect(await store.deleteManifest(doomed.descriptor.digest, context)).toBe(false)
        expect(await store.hasManifest(doomed.descriptor.digest, context)).toBe(false)
        expect(await store.statManifest('one', context)).toBeUndefined()
        expect(await collect(store.listTags(context))).toEqual(['three'])
      })
    }
    if (can('delete-blob')) {
      test('deletes a blob, which can be put again', async () => {
        const blob = blobOf(noise(1000, 'deleted'))
        await store.putBlob(blob, context)
        expect(await store.deleteBlob(blob.descriptor.digest, context)).toBe(true)
        expect(await store.deleteBlob(blob.descriptor.digest, context)).toBe(false)
        expect(await store.hasBlob(blob.descriptor, context)).toBe(false)
        expect(await store.putBlob(blob, context)).toBe('copied')
        expect(await readBlob(store, blob.descriptor)).toHaveLength(1000)
      })
    }
  })
}

function describeReferrers(current: () => Store): void {
  describe('referrers', () => {
    test('lists what points at a subject, with artifact type and annotations', async () => {
      const store = current()
      const subject = await putImageBlobs(store, 'subject')
      await store.putManifest(subject, ['subject'], context)
      const fields = { subject: subject.descriptor }
      const annotations = { 'org.example.note': 'signed' }
      const artifact = await putImageBlobs(store, 'artifact', {
        fields: { ...fields, artifactType: 'application/vnd.example.signature', annotations },
      })
      const image = await putImageBlobs(store, 'image with subject', { fields })
      const index = indexOf([subject], fields)
      for (const manifest of [artifact, image, index]) await store.putManifest(manifest, [], context)

      const found = await store.listReferrers(subject.descriptor.digest, context)
      const byDigest = new Map(found.map(descriptor => [descriptor.digest, descriptor]))
      expect(byDigest.size).toBe(3)
      expect(found).toHaveLength(3)
      expect(byDigest.get(artifact.descriptor.digest)).toEqual({
        ...artifact.descriptor,
        artifactType: 'application/vnd.example.signature',
        annotations,
      })
      expect(byDigest.get(image.descriptor.digest)).toMatchObject({ artifactType: MediaType.ociConfig })
      expect(byDigest.get(index.descriptor.digest)).toMatchObject({ mediaType: MediaType.ociIndex })
    })

    test('lists none for a digest that nothing points at', async () => {
      const store = current()
      const subject = await putImageBlobs(store, 'lonely')
      await store.putManifest(subject, [], context)
      expect(await store.listReferrers(subject.descriptor.digest, context)).toEqual([])
    })

    test('lists what points at something that is not there', async () => {
      const store = current()
      const subject = { mediaType: MediaType.ociManifest, digest: MISSING, size: 12 }
      const artifact = await putImageBlobs(store, 'early', { fields: { subject } })
      await store.putManifest(artifact, [], context)
      const found = await store.listReferrers(MISSING, context)
      expect(found.map(({ digest }) => digest)).toEqual([artifact.descriptor.digest])
    })
  })
}

async function* partThenFailure(bytes: Buffer, from: number): AsyncIterable<Buffer> {
  if (from < 200_000) yield bytes.subarray(from, 200_000)
  throw new Error('the disk is gone')
}

/** Gives half, then has the work aborted, and never gives more. */
async function* partThenAbort(bytes: Buffer, controller: AbortController): AsyncIterable<Buffer> {
  yield bytes.subarray(0, 100_000)
  yield bytes.subarray(100_000, 200_000)
  controller.abort()
  await new Promise(() => {})
}
