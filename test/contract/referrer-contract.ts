import { describe, expect, test } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { MediaType } from '../../src/content/media-types.js'
import type { Store } from '../../src/content/store.js'
import { indexOf, MISSING, putImageBlobs } from './store-fixtures.js'

const context = createContext()

/** What every store that has referrers does with them. */
export function describeReferrers(current: () => Store): void {
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
