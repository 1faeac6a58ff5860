import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, expect, it, vi } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import { MemoryStore } from '../content/memory-store.js'
import { bytesMember } from './archive-members.js'
import { writeArchive } from './archive-output.js'
import { LayoutCollection } from './layout-collection.js'
import { LayoutStore } from './layout-store.js'

const synced: string[] = []
vi.mock(import('../files/atomic-file.js'), async original => {
  const files = await original()
  return {
    ...files,
    async syncFolder(folder: string) {
      await files.syncFolder(folder)
      synced.push(folder)
    },
  }
})
afterEach(() => {
  synced.length = 0
})

it('has the names of a repository and of its blobs on the disk when a call ends', async () => {
  await using folder = await temporaryFolder()
  await using collection = await LayoutCollection.open(folder.path)
  const store = await collection.create('acme/app')
  expect(synced).toEqual(expect.arrayContaining([folder.path, join(folder.path, 'acme/app')]))
  const bytes = Buffer.from('some bytes')
  const digest = digestOf(bytes)
  const blobs = join(folder.path, 'acme/app/_layout/blobs/sha256')
  const open = async (from = 0) => Readable.from([bytes.subarray(from)], { objectMode: false })
  const descriptor = { mediaType: 'application/octet-stream', digest, size: bytes.length }
  const context = createContext()
  // The second finds the blob of the first, whose name may not be on the disk yet.
  const origin = new MemoryStore('memory')
  const puts = [1, 2].map(async () => {
    await store.putBlob({ descriptor, origin, open }, context)
    expect(synced).toContain(blobs)
  })
  await Promise.all(puts)
  synced.length = 0
  await store.deleteBlob(digest, context)
  expect(synced).toEqual([blobs])
})

it('waits for the disk where an archive replaces another, and not for a new one', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'image.tar')
  const write = () => writeArchive(path, [bytesMember('a', Buffer.from('some bytes'))], createContext())
  await write()
  expect(synced).toEqual([])
  await write()
  expect(synced).toEqual([folder.path])
})

it('waits for the disk where the index of a layout is replaced, and not for that of a new layout', async () => {
  await using folder = await temporaryFolder()
  const layout = join(folder.path, 'layout')
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [] }))
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const raw = { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes }
  const file = await open(folder.path)
  using syncing = vi.spyOn(Object.getPrototypeOf(file), 'sync')
  await file.close()
  const tag = async (...tags: string[]) => {
    await using store = await LayoutStore.open(layout, { create: true })
    for (const tag of tags) await store.putManifest(raw, [tag], createContext())
    await store.commit(createContext())
  }
  await tag('1', '2')
  expect(syncing).not.toHaveBeenCalled()
  await tag('3')
  expect(syncing).toHaveBeenCalled()
})
