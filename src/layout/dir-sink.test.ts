import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blobOf, descriptorOf, indexOf, noise, putImageBlobs } from '../../test/contract/store-fixtures.js'
import { openFolder } from '../archive/open-folder.js'
import { createContext } from '../content/context.js'
import { childrenOf, parseManifest } from '../content/manifest.js'
import { MemoryStore } from '../content/memory-store.js'
import { DirSink } from './dir-sink.js'
import { openDir } from './dir-source.js'

const context = createContext()
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-dir-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

describe('DirSink', () => {
  it('writes an index with its children, which reads back as the same', async () => {
    const store = new MemoryStore('source')
    const image = await putImageBlobs(store, 'image')
    const index = indexOf([image])
    await using sink = await DirSink.open(folder)
    for (const descriptor of childrenOf(parseManifest(image.bytes, undefined, 'image'))) {
      const open = () => store.openBlob(descriptor, context)
      expect(await sink.putBlob({ descriptor, origin: store, open }, context)).toBe('copied')
      expect(await sink.putBlob({ descriptor, origin: store, open }, context)).toBe('exists')
    }
    await sink.putManifest(image, [], context)
    await sink.putManifest(index, ['ignored'], context)
    expect(await readdir(folder)).toEqual([])
    await sink.commit(context)

    expect(await readFile(join(folder, 'version'), 'utf8')).toBe('Directory Transport Version: 1.1\n')
    await using file = await openDir(await openFolder(folder), context)
    expect(file.images[0]?.digest).toBe(index.descriptor.digest)
    const found = await file.images[0]?.source.getManifest(image.descriptor.digest, context)
    expect(found?.descriptor).toEqual(image.descriptor)
  })

  it('leaves nothing behind when it is not committed', async () => {
    const target = join(folder, 'new/out')
    {
      await using sink = await DirSink.open(target)
      await sink.putBlob(blobOf(noise(10, 'x')), context)
      expect(await readdir(join(folder, 'new'))).toHaveLength(1)
    }
    expect(await readdir(folder)).toEqual([])
  })

  it('refuses wrong bytes, several images and a folder that is in use', async () => {
    await using sink = await DirSink.open(folder)
    const wrong = blobOf(noise(10, 'x'), descriptorOf(noise(10, 'y')))
    await expect(sink.putBlob(wrong, context)).rejects.toMatchObject({ code: 'digest-mismatch' })
    expect(await sink.hasBlob(wrong.descriptor)).toBe(false)
    const store = new MemoryStore('source')
    for (const name of ['a', 'b']) await sink.putManifest(await putImageBlobs(store, name), [], context)
    await expect(sink.commit(context)).rejects.toThrow(`dir:${folder} holds one image, not 2`)
    await writeFile(join(folder, 'letter.txt'), 'dear')
    await expect(DirSink.open(folder)).rejects.toThrow(`the folder ${folder} is not empty`)
    const file = join(folder, 'letter.txt')
    await expect(DirSink.open(file)).rejects.toThrow(`${file} is a file, where a folder is wanted`)
  })
})
