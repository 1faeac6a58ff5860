import { Readable } from 'node:stream'
import { beforeEach, describe, expect, test } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { MediaType } from '../../src/content/media-types.js'
import type { Store } from '../../src/content/store.js'
import { blobFrom, blobOf, descriptorOf, MISSING, noise, readBlob } from './store-fixtures.js'

const context = createContext()

/** What every store does with blobs, whole and broken. */
export function describeBlobs(current: () => Store): void {
  let store: Store
  beforeEach(() => {
    store = current()
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
