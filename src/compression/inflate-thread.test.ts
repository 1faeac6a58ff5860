import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { constants, crc32, deflateRawSync, gzipSync, type ZlibOptions } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decompress } from './decompress.js'
import { INFLATE_MODULE } from './inflate-module.js'
import { inflateInThread } from './inflate-threads.js'

const WHAT = 'layer x'

/** What comes of it, or what is wrong with it. */
type Outcome = Buffer | 'refused'

async function inflate(pieces: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of inflateInThread(Readable.from(pieces), { what: WHAT }))
    chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

async function outcome(work: Promise<Buffer>): Promise<Outcome> {
  return await work.catch(error => {
    expect(['corrupt-compression', 'truncated']).toContain(error.code)
    return 'refused' as const
  })
}

async function zlibOutcome(bytes: Buffer): Promise<Outcome> {
  return await outcome(buffer(decompress(Readable.from([bytes]), 'gzip', { what: WHAT })))
}

/** Numbers that look random and are the same in each run. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Text with matches of all lengths and distances, and noise. */
function sample(size: number, seed: number): Buffer {
  const random = numbersFrom(seed)
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; ) {
    const kind = random(4)
    const length = Math.min(size - at, 1 + random(kind === 0 ? 400 : 20))
    if (kind < 2 && at > 0) {
      const from = at - 1 - random(Math.min(at, 40_000))
      for (let index = 0; index < length; index++) bytes[at + index] = bytes[from + index] ?? 0
    } else
      for (let index = 0; index < length; index++)
        bytes[at + index] = kind === 2 ? random(256) : 97 + random(4)
    at += length
  }
  return bytes
}

const STRATEGIES = [
  constants.Z_DEFAULT_STRATEGY,
  constants.Z_HUFFMAN_ONLY,
  constants.Z_RLE,
  constants.Z_FIXED,
  constants.Z_FILTERED,
]

/** A gzip member by hand (RFC 1952, 2.3). */
function member(flags: number, fields: Buffer, content: Buffer): Buffer {
  const header = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255]), fields])
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(crc32(content), 0)
  trailer.writeUInt32LE(content.length, 4)
  return Buffer.concat([header, deflateRawSync(content), trailer])
}

describe('a thread that decompresses', () => {
  it('gives what was compressed, at each level and in each way, in whatever pieces it comes', async () => {
    const random = numbersFrom(1)
    for (const strategy of STRATEGIES) {
      for (const level of [0, 1, 6, 9]) {
        const bytes = sample(random(3) === 0 ? random(100) : 300_000 + random(900_000), level + 10 * strategy)
        const options: ZlibOptions = { level, strategy, memLevel: 1 + random(9), windowBits: 9 + random(7) }
        const compressed = gzipSync(bytes, options)
        const most = random(2) === 0 ? 2_000_000 : 1000
        const pieces: Buffer[] = []
        for (let at = 0; at < compressed.length; at += pieces.at(-1)?.length ?? 0)
          pieces.push(compressed.subarray(at, at + 1 + random(most)))
        expect((await inflate(pieces)).equals(bytes), `${strategy} ${level}`).toBe(true)
      }
    }
  })

  it('gives what comes byte by byte', async () => {
    const bytes = sample(20_000, 3)
    const pieces = [...gzipSync(bytes)].map(byte => Buffer.of(byte))
    expect((await inflate(pieces)).equals(bytes)).toBe(true)
  })

  it('takes the longest matches at the end of each output', async () => {
    const zeros = Buffer.alloc(5 * 1024 * 1024 + 77)
    expect((await inflate([gzipSync(zeros)])).equals(zeros)).toBe(true)
    const far = Buffer.concat([sample(32 * 1024, 5), sample(32 * 1024, 5), sample(32 * 1024, 5)])
    expect((await inflate([gzipSync(far, { level: 9 })])).equals(far)).toBe(true)
  })

  it('ends the first chunk where that is wished for, and the others in equal steps', async () => {
    const bytes = sample(3_500_000, 8)
    for (const first of [1, 512, 65_024, 300_001, 1024 * 1024]) {
      const chunks: Buffer[] = []
      for await (const chunk of inflateInThread(Readable.from([gzipSync(bytes)]), { what: WHAT, first })) {
        if (chunks.length > 0) expect(chunk.byteOffset % 4096).toBe(0)
        chunks.push(Buffer.from(chunk))
      }
      const lengths = chunks.map(chunk => chunk.length)
      expect(lengths[0]).toBe(first)
      expect(new Set(lengths.slice(1, -1))).toEqual(new Set([1024 * 1024]))
      expect(Buffer.concat(chunks).equals(bytes), `${first}`).toBe(true)
    }
  })

  it('refuses what zlib refuses, and gives the same where zlib takes it, when bits are flipped', async () => {
    const random = numbersFrom(7)
    let refused = 0
    for (let round = 0; round < 500; round++) {
      const strategy = STRATEGIES[random(STRATEGIES.length)] ?? 0
      const compressed = gzipSync(sample(1 + random(3000), round), { level: random(10), strategy })
      for (let flips = 1 + random(3); flips > 0; flips--) {
        // Most are wanted where the codes are.
        const at = random(2) === 0 ? random(compressed.length) : random(Math.min(compressed.length, 80))
        compressed[at] = (compressed[at] ?? 0) ^ (1 << random(8))
      }
      const [ours, zlibs] = [await outcome(inflate([compressed])), await zlibOutcome(compressed)]
      expect(ours, `round ${round}`).toEqual(zlibs)
      if (zlibs === 'refused') refused++
    }
    expect(refused).toBeGreaterThan(300)
  })

  it('refuses noise behind a header, as zlib does', async () => {
    const random = numbersFrom(11)
    for (let round = 0; round < 500; round++) {
      const noise = Buffer.from(Array.from({ length: 200 }, () => random(256)))
      // The last block, of each kind in turn.
      noise[0] = ((noise[0] ?? 0) & ~7) | 1 | ((round % 4) << 1)
      const bytes = Buffer.concat([Buffer.from('1f8b0800000000000003', 'hex'), noise])
      expect(await outcome(inflate([bytes])), `round ${round}`).toEqual(await zlibOutcome(bytes))
    }
  })

  it('refuses what ends too early, wherever that is', async () => {
    const compressed = gzipSync(sample(3000, 9))
    for (let length = 1; length < compressed.length; length += length < 120 ? 1 : 37)
      await expect(inflate([compressed.subarray(0, length)]), `${length}`).rejects.toMatchObject({
        code: 'truncated',
        message: 'layer x ends too early: its gzip data is not all there',
      })
    await expect(inflate([])).rejects.toMatchObject({ code: 'truncated' })
  })

  it('refuses a wrong checksum and a wrong size', async () => {
    for (const fromEnd of [8, 5, 4, 1]) {
      const compressed = gzipSync(sample(700_000, 1))
      const at = compressed.length - fromEnd
      compressed[at] = (compressed[at] ?? 0) ^ 1
      await expect(inflate([compressed])).rejects.toMatchObject({
        code: 'corrupt-compression',
        message: 'layer x is damaged: its gzip data fails its own check',
      })
    }
  })

  it('takes several members, empty ones too, and no match reaches into the one before', async () => {
    const [one, other] = [sample(100_000, 1), sample(900_000, 2)]
    const members = [gzipSync(one), gzipSync(''), gzipSync(other), gzipSync(one)]
    expect((await inflate([Buffer.concat(members)])).equals(Buffer.concat([one, other, one]))).toBe(true)
    expect((await inflate(members)).equals(Buffer.concat([one, other, one]))).toBe(true)
    const referring = deflateRawSync(one.subarray(-100), { dictionary: one.subarray(-32_768) })
    const header = Buffer.from('1f8b0800000000000003', 'hex')
    const forged = Buffer.concat([gzipSync(one), header, referring, Buffer.alloc(8)])
    await expect(inflate([forged])).rejects.toMatchObject({ code: 'corrupt-compression' })
  })

  it.each(['00', '000000ff', '1f', '1f8b', '41', '4142', '1f8b0800'])(
    'takes %s after a member as zlib does',
    async hex => {
      const bytes = Buffer.concat([gzipSync('abc'), Buffer.from(hex, 'hex')])
      expect(await outcome(inflate([bytes]))).toEqual(await zlibOutcome(bytes))
    },
  )

  it('reads every field of a header, and checks its checksum', async () => {
    const content = Buffer.from('content')
    const extra = Buffer.concat([Buffer.from([0, 0xff]), Buffer.alloc(0xff00, 1)])
    const names = Buffer.from('name\0a comment\0')
    expect(await inflate([member(4 | 8 | 16, Buffer.concat([extra, names]), content)])).toEqual(content)
    const start = member(2 | 8, Buffer.from('name\0'), content).subarray(0, 15)
    const checksum = Buffer.alloc(2)
    checksum.writeUInt16LE(crc32(start) & 0xffff)
    const fields = Buffer.concat([Buffer.from('name\0'), checksum])
    expect(await inflate([member(2 | 8, fields, content)])).toEqual(content)
    fields[5] = (fields[5] ?? 0) ^ 1
    for (const wrong of [member(2 | 8, fields, content), member(32, Buffer.alloc(0), content)]) {
      expect(await zlibOutcome(wrong)).toBe('refused')
      await expect(inflate([wrong])).rejects.toMatchObject({ code: 'corrupt-compression' })
    }
  })

  it('passes on what its input fails with, and can be left early', async () => {
    async function* failing() {
      yield gzipSync(sample(100_000, 4)).subarray(0, 1000)
      throw new Error('the line is cut')
    }
    await expect(inflate(failing())).rejects.toThrow('the line is cut')
    const large = gzipSync(sample(4_000_000, 4))
    let left = false
    async function* endless() {
      try {
        for (;;) yield large
      } finally {
        left = true
      }
    }
    for await (const chunk of inflateInThread(endless(), { what: WHAT })) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    expect(left).toBe(true)
  })

  it('is what its source in assembly/ compiles to', async context => {
    const script = '../../scripts/deflate.js'
    const { makeModule }: { makeModule(name: string): Promise<string> } = await import(script)
    const made = await makeModule('inflate').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    })
    if (made === undefined) return context.skip('assemblyscript is not installed')
    expect(made).toContain(INFLATE_MODULE)
  })
})
