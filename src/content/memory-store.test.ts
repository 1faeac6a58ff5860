import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { createContext } from './context.js'
import { digestOf } from './digest.js'
import { MemoryCollection } from './memory-collection.js'
import { MemoryStore } from './memory-store.js'
import type { BlobContent, Source } from './store.js'

const context = createContext()
const bytes = Buffer.from('some layer')
const descriptor = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length }

/** A blob that counts how often it is opened. */
function countedBlob(origin: Source): BlobContent & { opened: number } {
  const blob = {
    descriptor,
    origin,
    opened: 0,
    open: async () => {
      blob.opened++
      return Readable.from([bytes])
    },
  }
  return blob
}

describe('stores of one collection', () => {
  test('take a blob over from each other without its bytes', async () => {
    const collection = new MemoryCollection()
    const [first, second] = [await collection.create('first'), await collection.create('second')]
    await first.putBlob(countedBlob(new MemoryStore('elsewhere')), context)
    expect(await second.hasBlob(descriptor)).toBe(false)
    const blob = countedBlob(first)
    expect(await second.putBlob(blob, context)).toBe('mounted')
    expect(blob.opened).toBe(0)
    expect(await second.statBlob(descriptor.digest, context)).toBe(bytes.length)
  })

  test('copy a blob that the other one does not show', async () => {
    const collection = new MemoryCollection()
    const [first, second] = [await collection.create('first'), await collection.create('second')]
    const blob = countedBlob(first)
    expect(await second.putBlob(blob, context)).toBe('copied')
    expect(blob.opened).toBe(1)
  })

  test('keep a blob that another one deletes', async () => {
    const collection = new MemoryCollection()
    const [first, second] = [await collection.create('first'), await collection.create('second')]
    await first.putBlob(countedBlob(first), context)
    await second.putBlob(countedBlob(first), context)
    expect(await first.deleteBlob(descriptor.digest, context)).toBe(true)
    expect(await first.hasBlob(descriptor)).toBe(false)
    expect(await second.hasBlob(descriptor)).toBe(true)
  })
})

test('copies between stores that share nothing', async () => {
  const first = new MemoryStore('first')
  await first.putBlob(countedBlob(first), context)
  expect(await new MemoryStore('second').putBlob(countedBlob(first), context)).toBe('copied')
})

test('does not open a blob that it has', async () => {
  const store = new MemoryStore('store')
  await store.putBlob(countedBlob(store), context)
  const again = countedBlob(store)
  expect(await store.putBlob(again, context)).toBe('exists')
  expect(again.opened).toBe(0)
})

test('checks the bytes itself', async () => {
  const blob = {
    ...countedBlob(new MemoryStore('origin')),
    open: async () => Readable.from([Buffer.from('some liar!')]),
  }
  await expect(new MemoryStore('acme/app').putBlob(blob, context)).rejects.toThrow(
    `blob ${descriptor.digest} for memory:acme/app should have the digest ${descriptor.digest} but has`,
  )
})

test('says what is missing and where', async () => {
  const store = new MemoryStore('acme/app')
  await expect(store.getManifest('1.0', context)).rejects.toThrow('memory:acme/app has no manifest 1.0')
  await expect(store.openBlob(descriptor, context)).rejects.toThrow(
    `memory:acme/app has no blob ${descriptor.digest}`,
  )
})

test('keeps its manifests when the bytes that were given change later', async () => {
  const store = new MemoryStore('acme/app')
  const given = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [] }))
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const manifest = { descriptor: { mediaType, digest: digestOf(given), size: given.length }, bytes: given }
  await store.putManifest(manifest, ['1.0'], context)
  given.fill(0)
  expect(digestOf((await store.getManifest('1.0', context)).bytes)).toBe(manifest.descriptor.digest)
})

test('lists the names of a collection in lexical order', async () => {
  const collection = new MemoryCollection()
  for (const name of ['b', 'a/c', 'a', 'c']) await collection.create(name)
  const names: string[] = []
  for await (const name of collection.listNames({ after: 'a', limit: 2 })) names.push(name)
  expect(names).toEqual(['a/c', 'b'])
  expect(await collection.find('d')).toBeUndefined()
})
