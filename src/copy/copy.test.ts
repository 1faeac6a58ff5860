import { once } from 'node:events'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import {
  blobOf,
  CountingStore,
  manifestOf,
  putBlob,
  putImage,
  putIndex,
} from '../../test/support/copy-fixtures.js'
import { ContentError } from '../content/content-error.js'
import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import { digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import type { BlobContent, Context, RawManifest } from '../content/store.js'
import { InterruptedError } from '../errors.js'
import { copy } from './copy.js'

const context = createContext()

describe('copy', () => {
  it('puts blobs before their manifest, children before their index, and the tags last', async () => {
    const source = new MemoryStore('source')
    const one = await putImage(source, ['a', 'b'])
    const two = await putImage(source, ['b', 'c'])
    const index = await putIndex(source, [one, two], ['1'])
    const sink = new CountingStore('sink')

    const { targets, root } = await copy(source, '1', [{ sink, tags: ['x', 'y'] }], context)

    expect(targets[0]?.error).toBeUndefined()
    expect(root?.digest).toBe(index.descriptor.digest)
    const position = (start: string) => sink.put.findIndex(entry => entry.startsWith(start))
    const lastBlob = Math.max(...['a', 'b', 'c'].map(text => position(digestOf(Buffer.from(text)))))
    expect(position(one.descriptor.digest)).toBeGreaterThan(lastBlob)
    expect(position(index.descriptor.digest)).toBe(sink.put.length - 1)
    expect(sink.put.at(-1)).toBe(`${index.descriptor.digest} x y`)
    expect((await sink.statManifest('y', context))?.digest).toBe(index.descriptor.digest)
  })

  it('sends a blob that several images share once, and none that is there already', async () => {
    const source = new MemoryStore('source')
    const images = [await putImage(source, ['a', 'b']), await putImage(source, ['a', 'c'])]
    await putIndex(source, images, ['1'])
    const sink = new CountingStore('sink')
    await putBlob(sink, blobOf('b', MediaType.ociLayerGzip))
    const { targets } = await copy(source, '1', [{ sink, tags: [] }], context)
    // Two configs, a and c.
    expect(targets[0]).toMatchObject({ copied: 4, exists: 1, mounted: 0, skipped: 0 })
    expect(new Set(sink.put).size).toBe(sink.put.length)
  })

  it('R255: does nothing but set tags when everything is in place', async () => {
    const source = new MemoryStore('source')
    const image = await putImage(source, ['a', 'b'], ['1'])
    const sink = new CountingStore('sink')
    await copy(source, '1', [{ sink, tags: ['1'] }], context)
    sink.put.length = 0
    const { targets } = await copy(source, '1', [{ sink, tags: ['2'] }], context)
    expect(targets[0]).toMatchObject({ copied: 0, exists: 3, bytes: 0 })
    expect(sink.put).toEqual([`${image.descriptor.digest} 2`])
  })

  it('serves the other targets when one fails, and puts no manifest where a blob is missing', async () => {
    const source = new MemoryStore('source')
    await putImage(source, ['a', 'b'], ['1'])
    const good = new CountingStore('good')
    const bad = new CountingStore('bad')
    bad.failOn = digestOf(Buffer.from('b'))
    const { targets } = await copy(
      source,
      '1',
      [
        { sink: bad, tags: ['1'] },
        { sink: good, tags: ['1'] },
      ],
      context,
    )
    expect(targets[0]?.error).toMatchObject({ message: 'no room' })
    expect(targets[1]?.error).toBeUndefined()
    expect(await good.statManifest('1', context)).toBeDefined()
    expect(await bad.statManifest('1', context)).toBeUndefined()
  })

  it('gives the error of the first look-up where several fail, and leaves none behind', async () => {
    const source = new MemoryStore('source')
    await putImage(source, ['a'], ['1'])
    const aborted: string[] = []
    class Gone extends MemoryStore {
      override async hasManifest(): Promise<boolean> {
        throw new ContentError('gone', { kind: 'network', code: 'gone' })
      }
      override async statManifest(_tag: string, within: Context): Promise<never> {
        await once(within.signal, 'abort')
        aborted.push(this.label)
        throw new InterruptedError()
      }
    }
    const { targets } = await copy(source, '1', [{ sink: new Gone('gone'), tags: ['1'] }], context)
    expect(targets[0]?.error).toMatchObject({ code: 'gone' })
    // An error that nobody takes fails the run of the tests.
    await new Promise(resolve => setImmediate(resolve))
    expect(aborted).toEqual(['memory:gone'])
  })

  it('serves targets of one group one after another', async () => {
    const source = new MemoryStore('source')
    await putImage(source, ['a'], ['1'])
    const order: string[] = []
    class Slow extends MemoryStore {
      override async putManifest(manifest: RawManifest, tags: readonly string[], within: Context) {
        order.push(`${this.label} begins`)
        await new Promise(resolve => setImmediate(resolve))
        await super.putManifest(manifest, tags, within)
        order.push(`${this.label} ends`)
      }
    }
    const targets = ['one', 'two'].map(name => ({ sink: new Slow(name), tags: [], group: 'host' }))
    await copy(source, '1', targets, context)
    expect(order).toEqual(['memory:one begins', 'memory:one ends', 'memory:two begins', 'memory:two ends'])
  })

  it('writes nothing in a dry run, and says what it would do', async () => {
    const source = new MemoryStore('source')
    await putImage(source, ['a', 'b'], ['1'])
    const sink = new CountingStore('sink')
    await putBlob(sink, blobOf('a', MediaType.ociLayerGzip))
    sink.put.length = 0
    const { targets } = await copy(source, '1', [{ sink, tags: ['1'] }], context, { dryRun: true })
    expect(targets[0]).toMatchObject({ copied: 2, exists: 1 })
    expect(sink.put).toEqual([])
  })

  it('refuses another digest than the one expected, before any manifest is put', async () => {
    const source = new MemoryStore('source')
    await putImage(source, ['a'], ['1'])
    const sink = new CountingStore('sink')
    const expectDigest = digestOf(Buffer.from('something else'))
    const { targets } = await copy(source, '1', [{ sink, tags: ['1'] }], context, { expectDigest })
    expect(targets[0]?.error).toMatchObject({ code: 'digest-mismatch', kind: 'corrupt' })
    expect(await sink.statManifest('1', context)).toBeUndefined()
  })

  it('R205: refuses a blob whose bytes are not those of its digest', async () => {
    class Lying extends MemoryStore {
      override async openBlob(descriptor: Descriptor) {
        return Readable.from([Buffer.alloc(descriptor.size, 'x')], { objectMode: false })
      }
    }
    const lying = new Lying('source')
    const layer = blobOf('a', MediaType.ociLayerGzip)
    const empty = blobOf('{}', MediaType.ociEmpty)
    for (const blob of [layer, empty]) await putBlob(lying, blob)
    const document = { config: empty.descriptor, layers: [layer.descriptor] }
    await lying.putManifest(manifestOf(document, MediaType.ociManifest), ['1'], context)
    const sink = new CountingStore('sink')
    const { targets } = await copy(lying, '1', [{ sink, tags: ['1'] }], context)
    expect(targets[0]?.error).toMatchObject({ code: 'digest-mismatch' })
    expect(await sink.statManifest('1', context)).toBeUndefined()
  })

  it('R232: refuses an index nested deeper than eight, and reads a wide one once', async () => {
    const source = new MemoryStore('source')
    let below = await putImage(source, ['a'])
    for (let level = 0; level < 8; level++)
      below = await putIndex(source, [below, below, below], [`${level}`])
    const sink = new CountingStore('sink')
    const fits = await copy(source, '7', [{ sink, tags: ['1'] }], context)
    expect(fits.targets[0]?.error).toBeUndefined()
    expect(sink.put.filter(entry => entry.startsWith(below.descriptor.digest))).toHaveLength(1)
    await putIndex(source, [below], ['deep'])
    const tooDeep = await copy(source, 'deep', [{ sink: new CountingStore('other'), tags: ['1'] }], context)
    expect(tooDeep.targets[0]?.error).toMatchObject({ code: 'too-deep' })
  })

  it('tells the layers with their diffIDs before anything moves, and each blob when it is in place', async () => {
    const source = new MemoryStore('source')
    await putImage(source, ['a', 'b'], ['1'])
    const events: CopyEvent[] = []
    const sink = new MemoryStore('sink')
    await copy(source, '1', [{ sink, tags: ['1'] }], createContext({ emit: event => events.push(event) }))
    const layers = events.find(event => event.type === 'layers')
    expect(layers).toMatchObject({
      layers: [{ diffID: digestOf(Buffer.from('plain a')), size: 1 }, { size: 1 }],
    })
    expect(events.filter(event => event.type === 'blob-done')).toHaveLength(3)
    expect(events.findIndex(event => event.type === 'layers')).toBeLessThan(
      events.findIndex(event => event.type === 'blob-started'),
    )
  })

  it('takes early blobs as they come, and fails at once when the target does', async () => {
    let released = () => {}
    const never = new Promise<void>(resolve => {
      released = resolve
    })
    class Early extends MemoryStore {
      async *earlyBlobs() {
        yield blobOf('a', MediaType.ociLayerGzip).descriptor
        await never
      }
    }
    const early = new Early('source')
    await putImage(early, ['a', 'b'], ['1'])
    const sink = new CountingStore('sink')
    sink.failOn = digestOf(Buffer.from('a'))
    const { targets } = await copy(early, '1', [{ sink, tags: ['1'] }], context)
    expect(targets[0]?.error).toMatchObject({ message: 'no room' })
    released()
  })

  it('begins with the largest blob, and sends no more large ones at once than the target takes with profit', async () => {
    const source = new MemoryStore('source')
    const MIB = 1024 * 1024
    const layers = [1, 90, 40, 300, 70].map(size => ({
      mediaType: MediaType.ociLayerGzip,
      digest: digestOf(Buffer.from(`layer of ${size}`)),
      size: size * MIB,
    }))
    const config = blobOf('{}', MediaType.ociEmpty)
    await putBlob(source, config)
    await source.putManifest(
      manifestOf({ config: config.descriptor, layers }, MediaType.ociManifest),
      ['1'],
      context,
    )
    class TakingSink extends MemoryStore {
      readonly largeBlobsAtOnce = 2
      readonly began: number[] = []
      running = 0
      most = 0
      override async putBlob({ descriptor }: BlobContent) {
        this.began.push(Math.round(descriptor.size / MIB))
        const large = descriptor.size > 4 * MIB ? 1 : 0
        this.running += large
        this.most = Math.max(this.most, this.running)
        await nextTurn()
        this.running -= large
        return 'copied' as const
      }
    }
    const sink = new TakingSink('sink')
    await copy(source, '1', [{ sink, tags: [] }], context)
    expect(sink.began).toEqual([300, 90, 70, 40, 1, 0])
    expect(sink.most).toBe(2)
  })

  it('ends with the reason when the caller aborts', async () => {
    const source = new MemoryStore('source')
    await putImage(source, ['a'], ['1'])
    const controller = new AbortController()
    controller.abort()
    const sink = new CountingStore('sink')
    const { targets } = await copy(
      source,
      '1',
      [{ sink, tags: ['1'] }],
      createContext({ signal: controller.signal }),
    )
    expect(targets[0]?.error).toBeDefined()
    expect(sink.put).toEqual([])
  })
})

describe('the children of an index', () => {
  it('are read at the same time, and told in their order', async () => {
    let reading = 0
    let most = 0
    class Busy extends MemoryStore {
      override async getManifest(tagOrDigest: string, within: Context) {
        reading++
        most = Math.max(most, reading)
        await new Promise(resolve => setImmediate(resolve))
        reading--
        return await super.getManifest(tagOrDigest, within)
      }
    }
    const source = new Busy('source')
    const images = await Promise.all(['a', 'b', 'c', 'd'].map(text => putImage(source, [text])))
    await putIndex(source, images, ['1'])
    const events: CopyEvent[] = []
    const within = createContext({ emit: event => events.push(event) })
    const sink = new CountingStore('sink')
    expect((await copy(source, '1', [{ sink, tags: [] }], within)).targets[0]?.error).toBeUndefined()
    expect(most).toBeGreaterThan(1)
    const told = events.flatMap(event => (event.type === 'layers' ? event.layers : []))
    const expected = ['a', 'b', 'c', 'd'].map(text => digestOf(Buffer.from(text)))
    expect(told.map(({ digest }) => digest)).toEqual(expected)
  })
})
