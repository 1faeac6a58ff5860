import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { MediaType } from '../../src/content/media-types.js'
import type { Store } from '../../src/content/store.js'
import { describeBlobs } from './blob-contract.js'
import { describeManifests } from './manifest-contract.js'
import { describeReferrers } from './referrer-contract.js'
import { blobOf, collect, descriptorOf, noise, putImageBlobs, readBlob } from './store-fixtures.js'

/** What some stores can't do. */
export type StoreFeature = 'delete-blob' | 'delete-manifest' | 'delete-tag' | 'referrers' | 'sha512'

export interface StoreContractOptions {
  /** Features that are left out, each with the reason, which is printed. */
  without?: Partial<Record<StoreFeature, string>>
}

const context = createContext()

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

    describeBlobs(() => store)
    describeManifests(() => store)

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
        await store.putManifest(manifest, ['by-sha512', 'again'], context)
        expect((await store.statManifest('again', context))?.digest).toBe(manifest.descriptor.digest)
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
