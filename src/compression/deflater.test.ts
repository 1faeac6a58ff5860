import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holds } from '../../test/support/properties.js'
import { BLOCK_SIZE, DICTIONARY_SIZE } from './deflate-block.js'
import { DEFLATE_MODULE } from './deflate-module.js'
import { DeflateRoom } from './deflater.js'
import { gzipStream } from './gzip.js'

const used = new DeflateRoom()

/** The result is copied: the next one takes its memory. */
function deflate(bytes: Uint8Array, dictionary: Uint8Array = new Uint8Array(), room = used): Buffer {
  room.input.fill(0xaa)
  room.input.set(dictionary, DICTIONARY_SIZE - dictionary.length)
  room.input.set(bytes, DICTIONARY_SIZE)
  return Buffer.from(room.compress({ dictionarySize: dictionary.length, size: bytes.length, isLast: true }))
}

/** What is like the content of layers in one way or another, a few KiB of it. */
const piece = fc.oneof(
  fc.uint8Array({ maxLength: 2000, size: 'max' }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 2000 }))
    .map(([bytes, times]) => Buffer.from(Buffer.alloc(bytes.length * times, bytes))),
  fc
    .array(fc.constantFrom('the ', 'layer ', 'of ', 'an ', 'image ', '\n', '{"', '": '), {
      maxLength: 600,
      size: 'max',
    })
    .map(words => Buffer.from(words.join(''))),
  // Places further back than a match can be.
  fc.constant(Buffer.alloc(40_000, 'between')),
)
const content = fc.array(piece, { maxLength: 12 }).map(pieces => Buffer.concat(pieces))

/** Bytes in which nothing comes twice. */
function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  let state = 1
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

describe('DeflateRoom', () => {
  it('makes what zlib gives back, of any bytes', async () => {
    await holds(content, async bytes => {
      expect(inflateRawSync(deflate(bytes)).equals(bytes)).toBe(true)
    })
  })

  it('refers to a dictionary, which zlib needs then', async () => {
    await holds(fc.tuple(content, content), async ([before, bytes]) => {
      const dictionary = before.subarray(-DICTIONARY_SIZE)
      const compressed = deflate(bytes, dictionary)
      expect(inflateRawSync(compressed, { dictionary }).equals(bytes)).toBe(true)
    })
    const text = noise(20_000)
    expect(deflate(text, text).length).toBeLessThan(1000)
  })

  it('makes the same of a block whatever was compressed in it before', async () => {
    const bytes = Buffer.concat([noise(100_000), Buffer.alloc(100_000, 'again and again ')])
    const first = deflate(bytes, undefined, new DeflateRoom())
    expect(deflate(bytes).equals(first)).toBe(true)
  })

  it.each([
    ['zeros', Buffer.alloc(BLOCK_SIZE), 0.01],
    ['noise', noise(BLOCK_SIZE), 1.001],
    ['noise of few kinds', noise(BLOCK_SIZE).map(byte => byte & 3), 0.35],
    ['codes that would be too long', fibonacci(), 0.6],
  ])('takes a whole block of %s', (_name, bytes, ratio) => {
    const compressed = deflate(bytes)
    expect(inflateRawSync(compressed).equals(bytes)).toBe(true)
    expect(compressed.length).toBeLessThan(bytes.length * ratio)
  })

  it.each([0, 1, 3, 4, 11, 12, 13, 16, 19, 20, 21, 257, 258, 259, 65_535, 65_536, 89_999, 90_000, 90_001])(
    'takes %i bytes, of either kind',
    size => {
      for (const bytes of [Buffer.alloc(size, 'abcde'), noise(size)]) {
        expect(inflateRawSync(deflate(bytes)).equals(bytes)).toBe(true)
      }
    },
  )

  it('is what its source in assembly/ compiles to', async context => {
    const script = '../../scripts/deflate.js'
    const { makeDeflateModule }: { makeDeflateModule(): Promise<string> } = await import(script)
    const made = await makeDeflateModule().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    })
    if (made === undefined) return context.skip('assemblyscript is not installed')
    expect(made).toContain(DEFLATE_MODULE)
  })
})

describe('gzipStream', () => {
  it('refers from one block to what is before it', async () => {
    const text = noise(DICTIONARY_SIZE)
    const bytes = Buffer.concat([noise(BLOCK_SIZE - text.length), text, text])
    const compressed = await buffer(gzipStream(Readable.from([bytes], { objectMode: false })))
    expect(compressed.length).toBeLessThan(BLOCK_SIZE + 5000)
    expect(gunzipSync(compressed).equals(bytes)).toBe(true)
  })
})

/** Bytes of which each comes as often as the two before it together: prefix codes without a limit would be very long. */
function fibonacci(): Buffer {
  const parts: Buffer[] = []
  let [one, other] = [1, 1]
  for (let byte = 0; byte < 24; byte++) {
    parts.push(Buffer.alloc(one, byte))
    ;[one, other] = [other, one + other]
  }
  // Shuffled, or there would be nothing but matches.
  const bytes = Buffer.concat(parts).subarray(0, BLOCK_SIZE)
  const random = noise(bytes.length * 4)
  for (let at = bytes.length - 1; at > 0; at--) {
    const other = random.readUInt32LE(at * 4) % (at + 1)
    const byte = bytes[at] as number
    bytes[at] = bytes[other] as number
    bytes[other] = byte
  }
  return bytes
}
