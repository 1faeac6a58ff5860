import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createContext } from '../content/context.js'
import { type Digest, digestOf } from '../content/digest.js'
import { MemoryStore } from '../content/memory-store.js'
import type { ArrivedFile } from '../content/spooled-file.js'
import type { BlobContent, Context } from '../content/store.js'
import { PushAhead } from './push-ahead.js'

const [one, two, three] = ['one', 'two', 'three'].map(layer) as [ArrivedFile, ArrivedFile, ArrivedFile]

describe('a push ahead', () => {
  it('sends each layer once to every sink', async () => {
    const sinks = [new NotingSink('a'), new NotingSink('b')]
    await using ahead = new PushAhead(sinks, 'image.tar', createContext(), 4)
    for (const file of [one, two, one]) await ahead.arrived(file)
    for (const sink of sinks) {
      const sent = ahead.blobsTo(sink.label)
      expect([...(sent?.keys() ?? [])]).toEqual([blobOf(one), blobOf(two)])
      expect(await sent?.get(blobOf(one))).toBe('copied')
      expect(await sent?.get(blobOf(two))).toBe('copied')
      expect(sink.put.sort()).toEqual([blobOf(one), blobOf(two)].sort())
    }
    expect(ahead.blobsTo('c')).toBeUndefined()
  })

  it('sends only layers of the image once its config has come', async () => {
    const sink = new NotingSink('a')
    await using ahead = new PushAhead([sink], 'image.tar', createContext(), 4)
    for (const file of [one, text('{"id":"no config"}'), config(one, three), two, three])
      await ahead.arrived(file)
    expect([...(ahead.blobsTo(sink.label)?.keys() ?? [])]).toEqual([blobOf(one), blobOf(three)])
  })

  it('sends nothing more when there is a second image', async () => {
    const sink = new NotingSink('a')
    await using ahead = new PushAhead([sink], 'image.tar', createContext(), 4)
    const first = config(one, two, three)
    for (const file of [first, one, first, two, config(three), three]) await ahead.arrived(file)
    expect([...(ahead.blobsTo(sink.label)?.keys() ?? [])]).toEqual([blobOf(one), blobOf(two)])
  })

  it('takes for no config what only looks like one', async () => {
    const sink = new NotingSink('a')
    await using ahead = new PushAhead([sink], 'image.tar', createContext(), 4)
    for (const file of [text('{"diff_ids"'), text('["diff_ids"]'), text('{"rootfs":{"diff_ids":1}}'), one])
      await ahead.arrived(file)
    expect(ahead.blobsTo(sink.label)?.size).toBe(1)
  })

  it('begins nothing more at a sink that has failed (R253)', async () => {
    const sink = new NotingSink('a', async () => {
      throw new Error('denied')
    })
    await using ahead = new PushAhead([sink], 'image.tar', createContext(), 4)
    await ahead.arrived(one)
    await expect(ahead.blobsTo(sink.label)?.get(blobOf(one))).rejects.toThrow('denied')
    await ahead.arrived(two)
    expect([...(ahead.blobsTo(sink.label)?.keys() ?? [])]).toEqual([blobOf(one)])
  })

  it('ends what is on its way when it is disposed, and waits for that', async () => {
    let hasEnded = false
    const sink = new NotingSink('a', async ({ signal }) => {
      await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
      await new Promise(resolve => setImmediate(resolve))
      hasEnded = true
      throw signal.reason
    })
    const ahead = new PushAhead([sink], 'image.tar', createContext(), 4)
    await ahead.arrived(one)
    await new Promise(resolve => setImmediate(resolve))
    expect(sink.put).toEqual([blobOf(one)])
    await ahead[Symbol.asyncDispose]()
    expect(hasEnded).toBe(true)
  })
})

/** Notes what is put into it, and may do something else with it. */
class NotingSink extends MemoryStore {
  readonly put: Digest[] = []
  readonly #instead: ((context: Context) => Promise<'copied'>) | undefined

  constructor(name: string, instead?: (context: Context) => Promise<'copied'>) {
    super(name)
    this.#instead = instead
  }

  override async putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'> {
    this.put.push(blob.descriptor.digest)
    return this.#instead === undefined ? await super.putBlob(blob, context) : await this.#instead(context)
  }
}

function layer(name: string): ArrivedFile {
  const bytes = Buffer.from(`${name}, compressed`)
  return {
    ...text(name),
    gzip: {
      digest: digestOf(bytes),
      size: bytes.length,
      open: async (from = 0) => Readable.from([bytes.subarray(from)], { objectMode: false }),
      async *chunksFrom(from = 0) {
        yield bytes.subarray(from)
      },
    },
  }
}

function config(...layers: ArrivedFile[]): ArrivedFile {
  return text(JSON.stringify({ rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) } }))
}

function text(content: string): ArrivedFile {
  const bytes = Buffer.from(content)
  return { digest: digestOf(bytes), size: bytes.length, read: async () => bytes }
}

function blobOf({ gzip }: ArrivedFile): Digest {
  if (gzip === undefined) throw new Error('this is no layer')
  return gzip.digest
}
