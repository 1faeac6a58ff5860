import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { blobChunksOf, chunksOf, countChunks, verifyChunks } from './chunks.js'
import { createContext } from './context.js'
import { digestOf } from './digest.js'
import type { RandomAccess } from './random-access.js'

const CHUNK_BYTES = 512 * 1024

/** Bytes in which every chunk differs. */
function accessTo(bytes: Buffer): RandomAccess & { reads: number } {
  return {
    size: bytes.length,
    reads: 0,
    async readInto(into, offset) {
      this.reads++
      await new Promise(resolve => setImmediate(resolve))
      expect(bytes.copy(into, 0, offset)).toBe(into.length)
    },
  }
}

function bytesOf(size: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: size }, (_, index) => index % 251))
}

async function gather(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const copies: Buffer[] = []
  for await (const chunk of chunks) copies.push(Buffer.from(chunk))
  return Buffer.concat(copies)
}

/** Chunks that all come in the same memory. */
async function* inOnePlace(...texts: string[]): AsyncGenerator<Buffer> {
  const memory = Buffer.alloc(16)
  for (const text of texts) yield memory.subarray(0, memory.write(text))
}

const expected = (text: string) => ({ digest: digestOf(Buffer.from(text)), size: text.length })

test.each([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 3])(
  'gives all of %i bytes, from any offset on',
  async size => {
    const bytes = bytesOf(size)
    for (const from of [0, 1, CHUNK_BYTES, size].filter(offset => offset <= size)) {
      expect((await gather(chunksOf(accessTo(bytes), from))).equals(bytes.subarray(from))).toBe(true)
    }
  },
)

test('reads one chunk ahead, in two pieces of memory', async () => {
  const access = accessTo(bytesOf(4 * CHUNK_BYTES))
  const memory = new Set<ArrayBufferLike>()
  let given = 0
  for await (const chunk of chunksOf(access)) {
    given++
    memory.add(chunk.buffer)
    expect(access.reads).toBe(Math.min(given + 1, 4))
  }
  expect(memory.size).toBe(2)
})

test('has done with the file when its reader leaves early', async () => {
  let reading = 0
  const access: RandomAccess = {
    size: 4 * CHUNK_BYTES,
    async readInto() {
      reading++
      await new Promise(resolve => setTimeout(resolve, 5))
      reading--
    },
  }
  for await (const _ of chunksOf(access)) break
  expect(reading).toBe(0)
})

test('passes on what reading fails with', async () => {
  const access: RandomAccess = {
    size: 2 * CHUNK_BYTES,
    readInto: async (_, offset) => {
      if (offset > 0) throw new Error('the disk is gone')
    },
  }
  await expect(gather(chunksOf(access))).rejects.toThrow('the disk is gone')
})

test('R205: gives the last chunk only after all are known to be right', async () => {
  expect(String(await gather(verifyChunks(inOnePlace('one ', 'two'), expected('one two'), 'it')))).toBe(
    'one two',
  )
  const given: string[] = []
  const reading = async () => {
    for await (const chunk of verifyChunks(inOnePlace('one ', 'tvo'), expected('one two'), 'blob x')) {
      given.push(String(chunk))
    }
  }
  await expect(reading()).rejects.toThrow('blob x should have the digest')
  expect(given).toEqual(['one '])
})

test('R207: refuses what is longer or shorter than its size', async () => {
  const longer = gather(verifyChunks(inOnePlace('one ', 'two', '!'), expected('one two'), 'blob x'))
  await expect(longer).rejects.toThrow('blob x should have 7 bytes but has at least 8')
  const shorter = gather(verifyChunks(inOnePlace('one '), expected('one two'), 'blob x'))
  await expect(shorter).rejects.toThrow('blob x should have 7 bytes but has 4')
})

test('takes an empty blob for what it is', async () => {
  expect((await gather(verifyChunks(inOnePlace(), expected(''), 'it'))).length).toBe(0)
})

test('tells absolute offsets', async () => {
  const offsets: number[] = []
  await gather(countChunks(inOnePlace('one ', 'two'), 10, offset => offsets.push(offset)))
  expect(offsets).toEqual([14, 17])
})

test('reads a source that has streams alone, and opens it when it is read', async () => {
  let opened = 0
  const source = {
    openBlob: async () => {
      opened++
      return Readable.from([Buffer.from('one '), Buffer.from('two')], { objectMode: false })
    },
  }
  const descriptor = { mediaType: '', ...expected('one two') }
  const chunks = blobChunksOf(source, descriptor, createContext())
  expect(opened).toBe(0)
  expect(String(await gather(chunks))).toBe('one two')
})
