import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import { Arrivals } from '../files/arrivals.js'
import { ArrivingSource } from './arriving-source.js'

const context = createContext()
const bytes = Buffer.from('{"rootfs":{}}')
const config = { mediaType: MediaType.ociConfig, digest: digestOf(bytes), size: bytes.length }

/** A source whose configs are these bytes, of which nothing has arrived. */
function arriving(given: Buffer): ArrivingSource {
  const base = Object.assign(new MemoryStore('base'), {
    openBlob: async () => Readable.from([given]),
  })
  return new ArrivingSource(base, new Arrivals())
}

it('reads a config where it comes from, before it arrives', async () => {
  expect(await buffer(await arriving(bytes).openBlob(config, context))).toEqual(bytes)
})

it('checks it there', async () => {
  const wrong = await arriving(Buffer.from('{"rootfs":[]}')).openBlob(config, context)
  await expect(buffer(wrong)).rejects.toMatchObject({
    code: 'digest-mismatch',
    message: expect.stringContaining(`blob ${config.digest} of memory:base should have the digest`),
  })
})
