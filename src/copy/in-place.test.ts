import { beforeEach, describe, expect, it } from 'vitest'
import { blobOf, CountingStore, putImage, putIndex } from '../../test/support/copy-fixtures.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import type { Context, RawManifest } from '../content/store.js'
import { RegctlError } from '../errors.js'
import { copy } from './copy.js'

describe('a copy of what is in place', () => {
  let source: MemoryStore
  let sink: CountingStore
  let one: RawManifest
  let index: RawManifest
  const events: CopyEvent[] = []
  const context = createContext({ emit: event => events.push(event) })

  beforeEach(async () => {
    source = new MemoryStore('source')
    sink = new CountingStore('sink')
    one = await putImage(source, ['a', 'b'])
    index = await putIndex(source, [one, await putImage(source, ['b', 'c'])], ['1'])
    await copy(source, '1', [{ sink, tags: ['1'] }], context)
    sink.put.length = 0
    sink.asked.length = 0
    events.length = 0
  })

  it('writes nothing, asks for no blob, and tells of each thing that it is there', async () => {
    const { targets } = await copy(source, '1', [{ sink, tags: ['1'] }], context)
    expect(targets[0]).toMatchObject({ error: undefined, copied: 0, exists: 5, bytes: 0, changed: false })
    expect(sink.put).toEqual([])
    expect(sink.asked).toEqual([])
    const done = events.filter(event => event.type === 'blob-done' || event.type === 'manifest-done')
    expect(done.map(({ result }) => result)).toEqual(Array(8).fill('exists'))
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'planned', manifests: 0, blobs: 0, bytes: 0 }),
    )
  })

  it('sets a new tag and nothing else', async () => {
    const { targets } = await copy(source, '1', [{ sink, tags: ['1', '2'] }], context)
    expect(targets[0]).toMatchObject({ copied: 0, changed: true })
    expect(sink.put).toEqual([`${index.descriptor.digest} 2`])
  })

  it('sends the image that the index has lost', async () => {
    await sink.deleteManifest(one.descriptor.digest, context)
    await sink.deleteBlob(digestOf(Buffer.from('a')), context)
    const { targets } = await copy(source, '1', [{ sink, tags: ['1'] }], context)
    expect(targets[0]).toMatchObject({ error: undefined, copied: 1, changed: true })
    expect(sink.put).toEqual([digestOf(Buffer.from('a')), one.descriptor.digest])
    // What the other image names is there because it is.
    expect(sink.asked).not.toContain(digestOf(Buffer.from('c')))
  })

  it('R255: looks for every blob with recheck, and sends what is missing', async () => {
    await sink.deleteBlob(digestOf(Buffer.from('c')), context)
    const believed = await copy(source, '1', [{ sink, tags: ['1'] }], context)
    expect(believed.targets[0]).toMatchObject({ copied: 0 })
    const { targets } = await copy(source, '1', [{ sink, tags: ['1'] }], context, { recheck: true })
    expect(targets[0]).toMatchObject({ error: undefined, copied: 1, exists: 4 })
    expect(sink.put).toEqual([digestOf(Buffer.from('c'))])
  })

  it('looks for every blob where asking is free', async () => {
    const free = Object.assign(sink, { asksFreely: true })
    await sink.deleteBlob(digestOf(Buffer.from('c')), context)
    const { targets } = await copy(source, '1', [{ sink: free, tags: ['1'] }], context)
    expect(targets[0]).toMatchObject({ error: undefined, copied: 1 })
  })

  it('refuses with noOverwrite a tag that is another digest, before anything is sent', async () => {
    await putImage(source, ['d'], ['new'])
    const tags = ['2', '1']
    const refused = await copy(source, 'new', [{ sink, tags }], context, { noOverwrite: true })
    expect(refused.targets[0]?.error).toMatchObject({
      code: 'tag-exists',
      kind: 'failed',
      message: expect.stringContaining(`memory:sink has the tag 1 already: it is ${index.descriptor.digest}`),
    })
    expect(sink.put).toEqual([])
    const same = await copy(source, '1', [{ sink, tags }], context, { noOverwrite: true })
    expect(same.targets[0]).toMatchObject({ error: undefined, changed: true })
  })

  it('R25: sends once more what the target lacks after all when the manifest is put', async () => {
    const lost = blobOf('a', MediaType.ociLayerGzip).descriptor
    /** Believes to have a blob until the manifest comes. */
    class Forgetful extends CountingStore {
      override async putBlob(blob: Parameters<CountingStore['putBlob']>[0], within: Context) {
        if (blob.descriptor.digest === lost.digest && this.put.length < 4) return 'exists' as const
        return await super.putBlob(blob, within)
      }

      override async putManifest(manifest: RawManifest, tags: readonly string[], within: Context) {
        const isImage = manifest.descriptor.digest === one.descriptor.digest
        if (isImage && !(await this.hasBlob(lost)))
          throw new RegctlError('refused', { kind: 'failed', code: 'missing-part' })
        await super.putManifest(manifest, tags, within)
      }
    }
    const forgetful = new Forgetful('forgetful')
    const { targets } = await copy(source, '1', [{ sink: forgetful, tags: ['1'] }], context)
    expect(targets[0]?.error).toBeUndefined()
    expect(await forgetful.hasBlob(lost)).toBe(true)
    expect(events).toContainEqual({
      type: 'warning',
      message: `memory:forgetful lacks ${lost.digest} again: it is sent once more`,
    })
  })
})
