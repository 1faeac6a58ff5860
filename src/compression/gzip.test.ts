import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { getPriority } from 'node:os'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { missingTool } from '../../test/support/tools.js'
import { Digester, digestOf } from '../content/digest.js'
import { gzipPieces, gzipStream } from './gzip.js'

const MEBIBYTE = 1024 * 1024

/** Bytes that compress somewhat, always the same. */
function sample(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  let state = 1
  for (let index = 0; index < size; index++) {
    if (index % 7 === 0) state = (state * 1103515245 + 12345) % 2 ** 31
    bytes[index] = (state >> 16) & 0x3f
  }
  return bytes
}

function chunked(bytes: Buffer, sizes: readonly number[]): Readable {
  const chunks: Buffer[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return Readable.from(chunks, { objectMode: false })
}

async function compress(bytes: Buffer, sizes: readonly number[], level?: number): Promise<Buffer> {
  return await buffer(gzipStream(chunked(bytes, sizes), level === undefined ? {} : { level }))
}

describe('gzipStream', () => {
  it('makes the same bytes however the input is chunked', async () => {
    const bytes = sample(2 * MEBIBYTE + 12345)
    const whole = await compress(bytes, [bytes.length])
    expect((await compress(bytes, [65536])).equals(whole)).toBe(true)
    expect((await compress(bytes, [1, 99999, 1048575, 1048577])).equals(whole)).toBe(true)
  })

  it.each([0, 1, 100, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE])(
    'gives back %i bytes of input when it is decompressed',
    async size => {
      const bytes = sample(size)
      const compressed = await compress(bytes, [300_000])
      expect(gunzipSync(compressed).equals(bytes)).toBe(true)
    },
  )

  it.skipIf(missingTool('gzip') !== undefined)('makes one member that gzip itself accepts', async () => {
    const compressed = await compress(sample(MEBIBYTE * 2), [MEBIBYTE])
    execFileSync('gzip', ['-t'], { input: compressed })
    expect([...compressed.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
  })

  it.each([
    [undefined, '0da191253ab9bd5468bb2c5cbf4005cd508fce575240737db4e9470a753c9ce4'],
    [4, '05bab1dd4e1df517fdafaa32dabcfa910a48b72dac7a93accc0585b643a8e7bb'],
  ])('makes bytes that never change, with level %s: digests of layers depend on them', async (level, hex) => {
    const compressed = await compress(sample(2 * MEBIBYTE + 12345), [MEBIBYTE], level)
    expect(createHash('sha256').update(compressed).digest('hex')).toBe(hex)
  })

  it('compresses nearly as well as one pass', async () => {
    const bytes = Buffer.from('All work and no play makes a dull layer. '.repeat(60_000))
    const blocks = await compress(bytes, [MEBIBYTE])
    expect(blocks.length).toBeLessThan(bytes.length / 100)
  })

  it('passes on the error of its input', async () => {
    const input = new Readable({
      read() {
        this.push(Buffer.alloc(MEBIBYTE * 3))
        this.destroy(new Error('the disk is gone'))
      },
    })
    await expect(buffer(gzipStream(input))).rejects.toThrow('the disk is gone')
  })

  it('destroys its input when it is destroyed', async () => {
    const input = new Readable({ read() {} })
    const output = gzipStream(input)
    output.read()
    output.destroy()
    await new Promise(resolve => input.once('close', resolve))
    expect(input.destroyed).toBe(true)
  })
})

describe('gzipPieces', () => {
  async function pieces(bytes: Buffer, level?: number) {
    const input = {
      size: bytes.length,
      readInto: async (into: Uint8Array, offset: number) => {
        into.set(bytes.subarray(offset, offset + into.length))
      },
    }
    const plain = new Digester()
    const told: number[] = []
    const parts: Buffer[] = []
    const options = level === undefined ? {} : { level }
    for await (const piece of gzipPieces(input, plain, options, offset => told.push(offset)))
      parts.push(Buffer.from(piece))
    return { compressed: Buffer.concat(parts), plain: plain.digest(), told }
  }

  it.each([
    [0, undefined],
    [1, undefined],
    [MEBIBYTE, undefined],
    [MEBIBYTE + 1, undefined],
    [5 * MEBIBYTE + 12345, undefined],
    [2 * MEBIBYTE + 12345, 4],
  ])('makes of a file of %i bytes, with level %s, what is made of its stream', async (size, level) => {
    const bytes = sample(size)
    const { compressed, plain, told } = await pieces(bytes, level)
    expect(compressed.equals(await compress(bytes, [100_000], level))).toBe(true)
    expect(plain).toBe(digestOf(bytes))
    expect(told.at(-1)).toBe(size)
  })

  it('makes of chunks what is made of a stream', async () => {
    const bytes = sample(2 * MEBIBYTE + 12345)
    const plain = new Digester()
    const parts: Buffer[] = []
    const chunks = chunked(bytes, [1, 99999, 1048577])
    for await (const piece of gzipPieces(chunks, plain)) parts.push(Buffer.from(piece))
    expect(Buffer.concat(parts).equals(await compress(bytes, [bytes.length]))).toBe(true)
    expect(plain.digest()).toBe(digestOf(bytes))
  })

  it('gives way to other work with its threads alone', async () => {
    const before = getPriority()
    await pieces(sample(3 * MEBIBYTE))
    expect(getPriority()).toBe(before)
  })

  it('passes on the error of its input', async () => {
    const readInto = async () => {
      throw new Error('the disk is gone')
    }
    const all = gzipPieces({ size: 3 * MEBIBYTE, readInto }, new Digester(), {}, () => {})
    await expect(all.next().then(() => all.next())).rejects.toThrow('the disk is gone')
  })
})
