import type { Readable } from 'node:stream'
import { describe, expect, it, vi } from 'vitest'
import { CountingStore, putImage } from '../../test/support/copy-fixtures.js'
import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import { digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { isImageConfigType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import { copy } from './copy.js'

const context = createContext()

/** Gives no config before it is allowed to. */
class LateConfig extends MemoryStore {
  give: (error?: Error) => void = () => {}
  readonly #given = new Promise<void>((resolve, reject) => {
    this.give = error => (error === undefined ? resolve() : reject(error))
  })

  override async openBlob(descriptor: Descriptor, ...rest: [never, number?]): Promise<Readable> {
    if (isImageConfigType(descriptor.mediaType)) await this.#given
    return await super.openBlob(descriptor, ...rest)
  }
}

describe('a config that comes late', () => {
  it('keeps no layer waiting, and its layers are told before what becomes of them', async () => {
    const source = new LateConfig('source')
    await putImage(source, ['a'], ['1'])
    const events: CopyEvent[] = []
    const within = createContext({ emit: event => events.push(event) })
    const sink = new CountingStore('sink')
    const copying = copy(source, '1', [{ sink, tags: ['1'] }], within)
    await vi.waitFor(() => expect(sink.put).toContain(digestOf(Buffer.from('a'))))
    expect(events).toEqual([])
    source.give()
    expect((await copying).targets[0]?.error).toBeUndefined()
    const types = events.map(({ type }) => type)
    expect(types.indexOf('layers')).toBeLessThan(types.indexOf('blob-started'))
    expect(types.at(-1)).toBe('manifest-done')
  })

  it('and then can not be read is the error of the copy', async () => {
    const source = new LateConfig('source')
    await putImage(source, ['a'], ['1'])
    const sink = new CountingStore('sink')
    const copying = copy(source, '1', [{ sink, tags: ['1'] }], context)
    source.give(new Error('the config is gone'))
    expect((await copying).targets[0]?.error).toMatchObject({ message: 'the config is gone' })
    expect(await sink.hasManifest(digestOf((await source.getManifest('1', context)).bytes))).toBe(false)
  })
})
