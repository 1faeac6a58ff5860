import { beforeEach, describe, expect, test } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { MediaType } from '../../src/content/media-types.js'
import type { Store } from '../../src/content/store.js'
import { collect, indexOf, MISSING, manifestOf, putImageBlobs } from './store-fixtures.js'

const context = createContext()

/** What every store does with manifests. */
export function describeManifests(current: () => Store): void {
  let store: Store
  beforeEach(() => {
    store = current()
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
}
