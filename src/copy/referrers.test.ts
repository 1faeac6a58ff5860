import { describe, expect, it } from 'vitest'
import {
  CountingStore,
  manifestOf,
  putImage,
  putIndex,
  putReferrer,
} from '../../test/support/copy-fixtures.js'
import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { digestTags } from '../content/digest-tags.js'
import type { CopyEvent } from '../content/events.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import type { RawManifest } from '../content/store.js'
import { copy } from './copy.js'

const context = createContext()

/** An index of two images, signed at each level, and the signature of one image attested. */
async function signedIndex(source: MemoryStore) {
  const [one, two] = [await putImage(source, ['a']), await putImage(source, ['b'])]
  const index = await putIndex(source, [one, two], ['1'])
  const ofIndex = await putReferrer(source, index, 'signature of the index')
  const ofOne = await putReferrer(source, one, 'signature of one')
  const ofSignature = await putReferrer(source, ofOne, 'attestation of the signature')
  const [signatureTag = ''] = digestTags(two.descriptor.digest)
  const tagged = await putImage(source, ['cosign'], [signatureTag])
  const ofTagged = await putReferrer(source, tagged, 'timestamp')
  return { index, signatureTag, referrers: [ofIndex, ofOne, ofSignature, tagged, ofTagged] }
}

describe('a copy with referrers', () => {
  it('takes them from each level, those of referrers and of tags too, and sets the tag last', async () => {
    const source = new MemoryStore('source')
    const { index, signatureTag, referrers } = await signedIndex(source)
    const sink = new CountingStore('sink')
    const result = await copy(source, '1', [{ sink, tags: ['x'] }], context, { referrers: true })
    expect(result.targets[0]?.error).toBeUndefined()
    expect(result.referrers).toBe(5)
    for (const { descriptor } of referrers) expect(await sink.hasManifest(descriptor.digest)).toBe(true)
    expect(sink.put.at(-1)).toBe(`${index.descriptor.digest} x`)
    expect((await sink.statManifest(signatureTag, context))?.digest).toBe(referrers[3]?.descriptor.digest)
    expect(await sink.listReferrers(index.descriptor.digest, context)).toHaveLength(1)
  })

  it('writes nothing the second time', async () => {
    const source = new MemoryStore('source')
    await signedIndex(source)
    const sink = new CountingStore('sink')
    await copy(source, '1', [{ sink, tags: ['x'] }], context, { referrers: true })
    sink.put.length = 0
    const { targets } = await copy(source, '1', [{ sink, tags: ['x'] }], context, { referrers: true })
    expect(targets[0]).toMatchObject({ error: undefined, changed: false, copied: 0 })
    expect(sink.put).toEqual([])
  })

  it('keeps with noOverwrite a signature that is another one at the target', async () => {
    const source = new MemoryStore('source')
    const { signatureTag } = await signedIndex(source)
    const sink = new CountingStore('sink')
    await putImage(sink, ['signed again'], [signatureTag])
    sink.put.length = 0
    const options = { referrers: true, noOverwrite: true }
    const { targets } = await copy(source, '1', [{ sink, tags: ['x'] }], context, options)
    expect(targets[0]?.error).toMatchObject({ code: 'tag-exists' })
    expect(sink.put).toEqual([])
  })

  it('leaves them where they are when they are not asked for', async () => {
    const source = new MemoryStore('source')
    const { referrers } = await signedIndex(source)
    const sink = new CountingStore('sink')
    expect(await copy(source, '1', [{ sink, tags: ['x'] }], context)).toMatchObject({ referrers: 0 })
    for (const { descriptor } of referrers) expect(await sink.hasManifest(descriptor.digest)).toBe(false)
  })

  it('R80: puts a referrer again that is there but is not listed', async () => {
    const source = new MemoryStore('source')
    const { referrers } = await signedIndex(source)
    class Unlisted extends CountingStore {
      override async listReferrers() {
        return []
      }
    }
    const sink = new Unlisted('sink')
    await copy(source, '1', [{ sink, tags: ['x'] }], context, { referrers: true })
    sink.put.length = 0
    await copy(source, '1', [{ sink, tags: ['x'] }], context, { referrers: true })
    const listed = referrers.filter((_, position) => position !== 3)
    expect(sink.put.sort()).toEqual(listed.map(({ descriptor }) => descriptor.digest).sort())
  })

  it('goes on without what is listed but is not there, and says so', async () => {
    const source = new MemoryStore('source')
    const image = await putImage(source, ['a'], ['1'])
    const gone = manifestOf({ config: image.descriptor, layers: [] }, MediaType.ociManifest).descriptor
    const listing = Object.assign(source, {
      listReferrers: async (subject: Digest): Promise<Descriptor[]> =>
        subject === image.descriptor.digest ? [gone] : [],
    })
    const events: CopyEvent[] = []
    const sink = new CountingStore('sink')
    const within = createContext({ emit: event => events.push(event) })
    const { targets } = await copy(listing, '1', [{ sink, tags: ['1'] }], within, { referrers: true })
    expect(targets[0]?.error).toBeUndefined()
    expect(events).toContainEqual({
      type: 'warning',
      message: `memory:source lists ${gone.digest} as a referrer of ${image.descriptor.digest} but does not have it`,
    })
  })

  it('R85: refuses a chain of referrers that does not end', async () => {
    const source = new MemoryStore('source')
    let last: RawManifest = await putImage(source, ['a'], ['1'])
    for (let link = 0; link < 8; link++) last = await putReferrer(source, last, `link ${link}`)
    const sink = new CountingStore('sink')
    const fits = await copy(source, '1', [{ sink, tags: ['1'] }], context, { referrers: true })
    expect(fits).toMatchObject({ referrers: 8, targets: [{ error: undefined }] })
    await putReferrer(source, last, 'one too many')
    const { targets } = await copy(source, '1', [{ sink, tags: ['2'] }], context, { referrers: true })
    expect(targets[0]?.error).toMatchObject({ code: 'too-deep' })
  })
})
