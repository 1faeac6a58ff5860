import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blobOf, indexOf, noise, putImageBlobs } from '../../test/contract/store-fixtures.js'
import { openArchive } from '../archive/open-archive.js'
import { createContext } from '../content/context.js'
import { childrenOf, parseManifest } from '../content/manifest.js'
import { MemoryStore } from '../content/memory-store.js'
import type { RawManifest, Sink } from '../content/store.js'
import { LayoutArchiveSink } from './layout-archive-sink.js'
import { openLayout } from './layout-source.js'

const context = createContext()
const store = new MemoryStore('source')
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-archive-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** Puts an image as the engine does: blobs first. */
async function put(sink: Sink, image: RawManifest, tags: string[], reverse = false): Promise<void> {
  const parsed = parseManifest(image.bytes, image.descriptor.mediaType, 'image')
  const children = reverse ? [...childrenOf(parsed)].reverse() : childrenOf(parsed)
  for (const descriptor of parsed.kind === 'image' ? children : []) {
    const open = (from?: number) => store.openBlob(descriptor, context, from)
    await sink.putBlob({ descriptor, origin: store, open }, context)
  }
  await sink.putManifest(image, tags, context)
}

describe('LayoutArchiveSink', () => {
  it('writes a tar that reads back as the same images, and leaves nothing beside it', async () => {
    const [a, b] = [await putImageBlobs(store, 'a'), await putImageBlobs(store, 'b')]
    const index = indexOf([a])
    const path = join(folder, 'new/image.tar')
    {
      await using sink = await LayoutArchiveSink.open(path, { repository: 'docker.io/acme/app' })
      await put(sink, a, [])
      await put(sink, index, ['multi'])
      await put(sink, b, ['single'])
      await sink.commit(context)
    }
    expect(await readdir(join(folder, 'new'))).toEqual(['image.tar'])
    await using file = await openLayout(await openArchive(path, { signal: context.signal }), context)
    expect(file.images.map(({ names, digest }) => [names, digest])).toEqual([
      [['docker.io/acme/app:multi'], index.descriptor.digest],
      [['docker.io/acme/app:single'], b.descriptor.digest],
    ])
    const found = await file.images[0]?.source.getManifest(a.descriptor.digest, context)
    expect(Buffer.from(found?.bytes ?? [])).toEqual(a.bytes)
  })

  it('gives the same bytes in whatever order the parts come (R191)', async () => {
    const [a, b] = [await putImageBlobs(store, 'a'), await putImageBlobs(store, 'b')]
    for (const [name, order] of [
      ['one.tar', [a, b]],
      ['two.tar', [b, a]],
    ] as const) {
      await using sink = await LayoutArchiveSink.open(join(folder, name))
      for (const image of order) await put(sink, image, [image === a ? 'a' : 'b'], name === 'two.tar')
      await sink.commit(context)
    }
    const [one, two] = [await readFile(join(folder, 'one.tar')), await readFile(join(folder, 'two.tar'))]
    expect(one.equals(two)).toBe(true)
    expect(one.length % 512).toBe(0)
  })

  it('writes to a stream, which stays open', async () => {
    const image = await putImageBlobs(store, 'stream')
    const output = new PassThrough()
    const gathered = buffer(output)
    await using sink = await LayoutArchiveSink.open(output)
    expect(sink.label).toBe('standard output')
    await put(sink, image, ['1'])
    await sink.commit(context)
    expect(output.writableEnded).toBe(false)
    output.end()
    expect((await gathered).subarray(0, 10).toString()).toBe('oci-layout')
  })

  it('leaves an older archive alone when it is not committed', async () => {
    const path = join(folder, 'image.tar')
    await writeFile(path, 'older')
    {
      await using sink = await LayoutArchiveSink.open(path)
      await sink.putBlob(blobOf(noise(1000, 'x')), context)
    }
    expect(await readdir(folder)).toEqual(['image.tar'])
    expect(await readFile(path, 'utf8')).toBe('older')
  })

  it('ends soon and leaves nothing when it is aborted', async () => {
    const controller = new AbortController()
    const path = join(folder, 'image.tar')
    {
      await using sink = await LayoutArchiveSink.open(path)
      await put(sink, await putImageBlobs(store, 'aborted'), ['1'])
      controller.abort()
      const work = sink.commit(createContext({ signal: controller.signal }))
      await expect(work).rejects.toMatchObject({ kind: 'interrupted' })
    }
    expect(await readdir(folder)).toEqual([])
  })
})
