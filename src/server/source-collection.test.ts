import { beforeEach, describe, expect, test } from 'vitest'
import { collect, indexOf, noise, putImageBlobs, readBlob } from '../../test/contract/store-fixtures.js'
import { ContentError } from '../content/content-error.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import type { RawManifest, Source, Store } from '../content/store.js'
import { SourceCollection } from './source-collection.js'

const context = createContext()
const MISSING = digestOf(Buffer.from('missing'))

describe('images of a file', () => {
  let source: MemoryStore
  let image: RawManifest
  let index: RawManifest
  let served: Store

  beforeEach(async () => {
    source = new MemoryStore('file')
    image = await putImageBlobs(source, 'served')
    await source.putManifest(image, [], context)
    const absent = {
      descriptor: { mediaType: MediaType.ociManifest, digest: MISSING, size: 9 },
      bytes: noise(9, 'x'),
    }
    index = indexOf([image, absent])
    await source.putManifest(index, ['root'], context)
    const fields = { subject: index.descriptor, artifactType: 'application/vnd.example.signature' }
    await source.putManifest(await putImageBlobs(source, 'signature', { fields }), [], context)
    const images = [{ repository: 'team/app', tag: '1.0', root: 'root', source }]
    served = await new SourceCollection(images).create('team/app')
  })

  test('are found by tag, and everything below them by digest', async () => {
    for (const [name, manifest] of [
      ['1.0', index],
      [index.descriptor.digest, index],
      [image.descriptor.digest, image],
    ] as const) {
      expect(Buffer.from((await served.getManifest(name, context)).bytes).equals(manifest.bytes)).toBe(true)
      expect(await served.statManifest(name, context)).toMatchObject(manifest.descriptor)
    }
    const [layer] = JSON.parse(Buffer.from(image.bytes).toString()).layers
    expect(await served.statBlob(layer.digest, context)).toBe(layer.size)
    expect((await readBlob(served, layer, 10)).equals(noise(5000, 'served').subarray(10))).toBe(true)
  })

  test('may lack what an index names', async () => {
    expect(await served.statManifest(MISSING, context)).toBeUndefined()
    await expect(served.getManifest(MISSING, context)).rejects.toThrow(`team/app has no manifest ${MISSING}`)
  })

  test('may lack a layer', async () => {
    const [layer] = JSON.parse(Buffer.from(image.bytes).toString()).layers
    await source.deleteBlob(layer.digest, context)
    expect(await served.statBlob(layer.digest, context)).toBeUndefined()
  })

  test('come with what refers to them', async () => {
    const referrers = await served.listReferrers(index.descriptor.digest, context)
    expect(referrers.map(({ artifactType }) => artifactType)).toEqual(['application/vnd.example.signature'])
    expect(await served.hasManifest(referrers[0]?.digest ?? MISSING, context)).toBe(true)
  })

  test('show nothing else of the file', async () => {
    const other = await putImageBlobs(source, 'unserved')
    await source.putManifest(other, ['other'], context)
    expect(await served.statManifest('other', context)).toBeUndefined()
    expect(await served.statManifest(other.descriptor.digest, context)).toBeUndefined()
    const [layer] = JSON.parse(Buffer.from(other.bytes).toString()).layers
    expect(await served.statBlob(layer.digest, context)).toBeUndefined()
  })

  test("can't be changed", async () => {
    const refusal = {
      code: 'read-only',
      message: "team/app is served from a local file and can't be changed",
    }
    await expect(served.putManifest(image, ['2.0'], context)).rejects.toMatchObject(refusal)
    await expect(served.deleteTag('1.0', context)).rejects.toMatchObject(refusal)
    await expect(served.deleteManifest(index.descriptor.digest, context)).rejects.toMatchObject(refusal)
    await expect(served.deleteBlob(MISSING, context)).rejects.toMatchObject(refusal)
    await expect(new SourceCollection([]).create('new')).rejects.toMatchObject({ code: 'read-only' })
  })
})

test('looks at the file again after a failure', async () => {
  const source = new MemoryStore('file')
  const collection = new SourceCollection([{ repository: 'a', root: 'late', tag: 'late', source }])
  const store = await collection.create('a')
  await expect(store.getManifest('late', context)).rejects.toThrow('memory:file has no manifest late')
  await source.putManifest(indexOf([]), ['late'], context)
  expect((await store.getManifest('late', context)).descriptor.mediaType).toBe(MediaType.ociIndex)
})

test('leaves out what is broken, with a warning, and shows the rest', async () => {
  const source = new MemoryStore('file')
  await source.putManifest(indexOf([]), ['fine'], context)
  const broken: Source = {
    label: 'broken.tar',
    getManifest: async () => {
      throw new ContentError('broken.tar is cut off', { kind: 'corrupt', code: 'truncated' })
    },
    openBlob: source.openBlob,
    listReferrers: async () => [],
    [Symbol.asyncDispose]: async () => {},
  }
  const collection = new SourceCollection([
    { repository: 'a', root: 'first', tag: 'broken', source: broken },
    { repository: 'a', root: 'fine', tag: 'fine', source },
  ])
  const events: CopyEvent[] = []
  const store = await collection.create('a')
  const tags = await collect(store.listTags(createContext({ emit: event => events.push(event) })))
  expect(tags).toEqual(['fine'])
  expect(events).toEqual([
    { type: 'warning', message: 'left out first of broken.tar: broken.tar is cut off' },
  ])
})
