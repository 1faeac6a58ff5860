import { lstat, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
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

  it('holds images of several repositories, each under its own name, with a blob that they share once', async () => {
    const image = await putImageBlobs(store, 'shared')
    const other = await putImageBlobs(store, 'other')
    const path = join(folder, 'image.tar')
    const seen: unknown[] = []
    {
      await using sink = await LayoutArchiveSink.open(path, {
        addFiles: async (_layout, entries) => {
          seen.push(...entries.map(({ reference, descriptor }) => [reference, descriptor.digest]))
          return new Map()
        },
      })
      for (const [repository, manifest] of [
        ['localhost:5000/app', image],
        ['docker.io/library/app', image],
        ['docker.io/library/other', other],
      ] as const) {
        const part = await sink.imagesOf(repository)
        await put(part, manifest, ['1'])
        await part.commit(context)
        expect(await readdir(folder)).toEqual([expect.stringMatching(/^\.image\.tar-/)])
      }
      await sink.commit(context)
    }
    expect(await readdir(folder)).toEqual(['image.tar'])
    expect(seen).toEqual([
      ['docker.io/library/app:1', image.descriptor.digest],
      ['docker.io/library/other:1', other.descriptor.digest],
      ['localhost:5000/app:1', image.descriptor.digest],
    ])
    await using file = await openLayout(await openArchive(path, { signal: context.signal }), context)
    expect(file.images.map(({ names }) => names)).toEqual([
      ['docker.io/library/app:1', 'localhost:5000/app:1'],
      ['docker.io/library/other:1'],
    ])
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

  it('says so when nobody reads the stream any more', async () => {
    const output = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    })
    await using sink = await LayoutArchiveSink.open(output)
    await put(sink, await putImageBlobs(store, 'closed'), ['1'])
    await expect(sink.commit(context)).rejects.toMatchObject({ kind: 'failed', code: 'output-closed' })
  })

  it('writes what a link leads to, and refuses a folder and a device', async () => {
    await writeFile(join(folder, 'real.tar'), 'older')
    await symlink('real.tar', join(folder, 'link.tar'))
    {
      await using sink = await LayoutArchiveSink.open(join(folder, 'link.tar'))
      await put(sink, await putImageBlobs(store, 'link'), ['1'])
      await sink.commit(context)
    }
    expect((await lstat(join(folder, 'link.tar'))).isSymbolicLink()).toBe(true)
    expect((await readFile(join(folder, 'real.tar'))).subarray(0, 10).toString()).toBe('oci-layout')
    for (const path of [folder, '/dev/null'])
      await expect(LayoutArchiveSink.open(path)).rejects.toMatchObject({ kind: 'usage', code: 'not-a-file' })
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
