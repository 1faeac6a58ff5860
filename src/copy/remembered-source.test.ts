import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { manifestOf } from '../../test/support/copy-fixtures.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import { RememberedSource } from './remembered-source.js'

const context = createContext()

describe('RememberedSource', () => {
  it('asks for a manifest once, by tag and by digest, and not again when the tag has moved', async () => {
    const store = new MemoryStore('base')
    const [old, next] = [{ a: '1' }, { a: '2' }].map(annotations =>
      manifestOf({ manifests: [], annotations }, MediaType.ociIndex),
    )
    if (old === undefined || next === undefined) throw new Error('no manifests')
    await store.putManifest(old, ['tag'], context)
    const source = new RememberedSource(store)
    expect((await source.getManifest('tag', context)).descriptor).toEqual(old.descriptor)
    await store.putManifest(next, ['tag'], context)
    await store.deleteManifest(old.descriptor.digest, context)
    expect((await source.getManifest('tag', context)).descriptor).toEqual(old.descriptor)
    const { bytes } = await source.getManifest(old.descriptor.digest, context)
    expect(Buffer.from(bytes)).toEqual(old.bytes)
  })

  it('asks again for what was not there', async () => {
    const store = new MemoryStore('base')
    const source = new RememberedSource(store)
    await expect(source.getManifest('tag', context)).rejects.toMatchObject({ kind: 'not-found' })
    await store.putManifest(manifestOf({ manifests: [] }, MediaType.ociIndex), ['tag'], context)
    expect((await source.getManifest('tag', context)).descriptor.mediaType).toBe(MediaType.ociIndex)
  })

  it('reads a config once for those who ask at the same time, and again when it was wrong', async () => {
    const bytes = Buffer.from('{}')
    const config = { mediaType: MediaType.ociConfig, digest: digestOf(bytes), size: bytes.length }
    let asked = 0
    class Base extends MemoryStore {
      override async openBlob() {
        asked++
        return Readable.from([bytes])
      }
    }
    const source = new RememberedSource(new Base('base'))
    const [opened, chunks] = await Promise.all([
      source.openBlob(config, context).then(stream => buffer(stream)),
      buffer(Readable.from(source.blobChunks(config, context, 1))),
    ])
    expect([opened, chunks, asked]).toEqual([bytes, bytes.subarray(1), 1])
    source.rejectBlob(config.digest, context)
    await source.openBlob(config, context)
    expect(asked).toBe(2)
  })
})
