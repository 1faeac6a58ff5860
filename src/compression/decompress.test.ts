import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { missingImages } from '../../test/support/images.js'
import { decompress } from './decompress.js'
import { sniffCompression } from './sniff.js'

const IMAGES = fileURLToPath(new URL('../../../shared/images/', import.meta.url))
const read = (name: string) => readFileSync(IMAGES + name)

function unpack(bytes: Buffer, chunkSize = 65536): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += chunkSize) chunks.push(bytes.subarray(at, at + chunkSize))
  const input = Readable.from(chunks, { objectMode: false })
  return buffer(decompress(input, sniffCompression(bytes), { what: 'image.tar.x' }))
}

const DOCKER = 'docker20-dup-layers.tar'
const OCI = 'skopeo122-oci-archive.tar'
const FILES: [string, string][] = [
  ['da-gzip-members.tar.gz', DOCKER],
  ['da-gzip-named.tgz', DOCKER],
  ['da-pixz.tar.xz', DOCKER],
  ['da-zstd-frames.tar.zst', DOCKER],
  ['da.tar.bz2', DOCKER],
  ['da.tar.gz', DOCKER],
  ['da.tar.xz', DOCKER],
  ['da.tar.zst', DOCKER],
  ['oci-xz-streams.tar.xz', OCI],
  ['oci-zstd-long.tar.zst', OCI],
  ['oci.tar.bz2', OCI],
  ['oci.tar.gz', OCI],
  ['oci.tar.xz', OCI],
  ['oci.tar.zst', OCI],
]

describe.skipIf(missingImages() !== undefined)('decompress', () => {
  it.each(FILES)('gives back what %s was made from, whatever its chunks', async (name, original) => {
    const bytes = read(`variants/${name}`)
    const expected = read(original)
    for (const chunkSize of [1, 7, 1000, 1 << 20]) {
      expect((await unpack(bytes, chunkSize)).equals(expected), `chunks of ${chunkSize}`).toBe(true)
    }
  })

  it.each(FILES)('says of %s cut short that it ends too early', async name => {
    const bytes = read(`variants/${name}`)
    for (const cut of [bytes.length - 1, bytes.length - 9, Math.floor(bytes.length * 0.7), 14]) {
      const result = unpack(bytes.subarray(0, cut))
      await expect(result, `cut to ${cut}`).rejects.toMatchObject({ code: 'truncated', kind: 'corrupt' })
    }
  })

  it.each(['oci.tar.gz', 'oci.tar.bz2', 'oci.tar.xz', 'oci-xz-streams.tar.xz'])(
    'finds a flipped bit in %s',
    async name => {
      const bytes = Buffer.from(read(`variants/${name}`))
      const middle = bytes.length - 5000
      bytes[middle] = (bytes[middle] ?? 0) ^ 4
      await expect(unpack(bytes)).rejects.toMatchObject({
        code: 'corrupt-compression',
        message: expect.stringContaining('image.tar.x is damaged'),
      })
    },
  )

  it('finds a wrong SHA-256 at the end of an xz block', async () => {
    const bytes = Buffer.from(read('variants/oci-xz-streams.tar.xz'))
    // The stream ends with 32 bytes of check, an index of 12 bytes and a footer of 12.
    const check = bytes.length - 24 - 5
    bytes[check] = (bytes[check] ?? 0) ^ 1
    await expect(unpack(bytes)).rejects.toMatchObject({ code: 'corrupt-compression' })
  })

  it.each(['broken/gzip-bad-crc.tar.gz', 'broken/gzip-flipped.tar.gz'])('refuses %s', async name => {
    await expect(unpack(read(name))).rejects.toMatchObject({ code: 'corrupt-compression' })
  })

  it.each([
    'broken/truncated-gzip-half.tar.gz',
    'broken/truncated-gzip-trailer.tar.gz',
    'broken/truncated-zstd.tar.zst',
  ])('refuses %s as one that ends too early', async name => {
    await expect(unpack(read(name))).rejects.toMatchObject({ code: 'truncated' })
  })

  it('takes zeros after a gzip trailer as padding', async () => {
    const padded = Buffer.concat([gzipSync('hello'), Buffer.alloc(1000)])
    expect((await unpack(padded, 10)).toString()).toBe('hello')
  })

  it('reads zstd frames of a few bytes, and empty ones', async () => {
    const start = [0x28, 0xb5, 0x2f, 0xfd, 0x20]
    const empty = Buffer.from([...start, 0, 1, 0, 0])
    const hello = Buffer.concat([Buffer.from([...start, 5, (5 << 3) | 1, 0, 0]), Buffer.from('hello')])
    expect((await unpack(Buffer.concat([empty, hello, empty, hello]), 5)).toString()).toBe('hellohello')
  })

  it('refuses a zstd frame that wants more memory than there should be', async () => {
    const window = ((31 - 10) << 3) | 0
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, window, (1 << 3) | 1, 0, 0, 65])
    await expect(unpack(frame)).rejects.toMatchObject({
      code: 'corrupt-compression',
      cause: new Error('the window of a zstd frame is too large'),
    })
  })

  it('refuses what follows a zstd frame and is none', async () => {
    const bytes = Buffer.concat([read('variants/oci.tar.zst'), Buffer.from('and then this')])
    await expect(unpack(bytes)).rejects.toMatchObject({ code: 'corrupt-compression' })
  })

  it.each([
    ['variants/oci-lz4.tar.lz4', 'lz4'],
    ['variants/oci-lzma.tar.lzma', 'lzma'],
  ])('refuses %s and says how to go on', async (name, kind) => {
    await expect(unpack(read(name))).rejects.toMatchObject({
      code: 'unsupported-compression',
      message: `image.tar.x is compressed with ${kind}, which cannot be read`,
      hint: expect.stringContaining('Decompress it first'),
    })
  })

  it('refuses data that expands without end, before much of it came out (R226)', async () => {
    const input = Readable.from([read('broken/bomb-archive.tar.xz')])
    const limits = { harmlessBytes: 1024 * 1024, ratio: 10 }
    const output = decompress(input, 'xz', { what: 'bomb.tar.xz', limits })
    let size = 0
    const reading = (async () => {
      for await (const chunk of output as AsyncIterable<Buffer>) size += chunk.length
    })()
    await expect(reading).rejects.toMatchObject({
      code: 'too-large',
      message: expect.stringMatching(/^bomb.tar.xz expands from 312836 to more than \d+ bytes/),
    })
    expect(size).toBeLessThan(limits.ratio * 312836)
  })

  it('passes on the error of its input', async () => {
    const input = new Readable({
      read() {
        this.destroy(new Error('the disk is gone'))
      },
    })
    await expect(buffer(decompress(input, 'gzip', { what: 'x' }))).rejects.toThrow('the disk is gone')
  })

  it.each(['gzip', 'zstd', 'bzip2', 'xz'] as const)('destroys its input when %s is given up', async kind => {
    const input = new Readable({ read() {} })
    const output = decompress(input, kind, { what: 'x' })
    output.read()
    output.destroy()
    await new Promise(resolve => input.once('close', resolve))
    expect(input.destroyed).toBe(true)
  })
})
