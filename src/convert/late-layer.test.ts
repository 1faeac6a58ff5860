import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import { lateLayer } from './late-layer.js'

const context = createContext()
const store = new MemoryStore('base')
const plain = Buffer.from('layer '.repeat(100_000))

async function late(bytes: Buffer, diffID = digestOf(plain)) {
  const descriptor = { mediaType: MediaType.ociLayerGzip, digest: digestOf(bytes), size: bytes.length }
  await store.putBlob({ descriptor, origin: store, open: async () => Readable.from([bytes]) }, context)
  return await lateLayer(store, descriptor, diffID, context)
}

it('tells the size and digest of a gzip layer, and uncompresses it when it is read', async () => {
  const layer = await late(gzipSync(plain))
  expect(layer).toMatchObject({ digest: digestOf(plain), size: plain.length, compression: 'none' })
  for (const from of [0, 5, 400_000]) {
    const content = await buffer((await layer?.open(from, context)) ?? Readable.from([]))
    expect(content.equals(plain.subarray(from))).toBe(true)
  }
})

it('gives it chunk by chunk as well, by a thread where it is large', async () => {
  for (const size of [1000, 3_000_000]) {
    const noise = randomBytes(size)
    const layer = await late(gzipSync(noise), digestOf(noise))
    const chunks: Buffer[] = []
    for await (const chunk of layer?.chunks?.(context) ?? []) chunks.push(Buffer.from(chunk))
    expect(Buffer.concat(chunks).equals(noise)).toBe(true)
  }
})

it('refuses what has not the digest or the size that it tells, as it comes to that, by a thread or without', async () => {
  const zeros = Buffer.alloc(2_500_000)
  for (const size of [1000, 2_000_000]) {
    const noise = randomBytes(size)
    const read = async (bytes: Buffer, diffID = digestOf(noise)) => {
      const layer = await late(bytes, diffID)
      expect(layer?.isChecked).toBe(true)
      for await (const _ of layer?.chunks?.(context) ?? []);
    }
    const what = `layer ${digestOf(gzipSync(noise))} of memory:base, uncompressed,`
    await expect(read(gzipSync(noise), digestOf(plain))).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: `${what} should have the digest ${digestOf(plain)} but has sha256:${digestOf(noise).slice(7, 19)}…`,
    })
    await expect(read(Buffer.concat([gzipSync(noise), gzipSync(zeros)]))).rejects.toMatchObject({
      code: 'size-mismatch',
      message: expect.stringContaining(`, uncompressed, should have ${zeros.length} bytes but has at least `),
    })
  }
})

it('does so for what could not be compressed', async () => {
  expect(await late(gzipSync(plain, { level: 0 }))).toMatchObject({ size: plain.length })
})

it('leaves alone what is no gzip, ends in another size, or has its diffID by another algorithm', async () => {
  expect(await late(plain)).toBeUndefined()
  expect(await late(Buffer.concat([gzipSync(plain), gzipSync('')]))).toBeUndefined()
  expect(await late(gzipSync(plain), digestOf(plain, 'sha512'))).toBeUndefined()
})
