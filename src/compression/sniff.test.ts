import { describe, expect, it } from 'vitest'
import { type Compression, sniffCompression } from './sniff.js'

const HEADS: [Compression, number[]][] = [
  ['gzip', [0x1f, 0x8b, 8]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['zstd', [0x50, 0x2a, 0x4d, 0x18]],
  ['zstd', [0x5f, 0x2a, 0x4d, 0x18]],
  ['bzip2', [0x42, 0x5a, 0x68, 0x39]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
  ['lzma', [0x5d, 0, 0, 0x80, 0, 255, 255, 255, 255, 255, 255, 255, 255]],
  ['lzma', [0x5d, 0, 0, 0x80, 0, 9, 9, 9, 9, 9, 0, 0, 0]],
  ['none', []],
  ['none', [0x1f]],
  ['none', [0x28, 0xb5, 0x2f]],
  ['none', [0x60, 0x2a, 0x4d, 0x18]],
  ['none', [...Buffer.from('BZhello')]],
  ['none', [...Buffer.from(']text that starts with a bracket')]],
]

describe('sniffCompression', () => {
  it.each(HEADS)('says %s of %j (R173)', (kind, head) => {
    expect(sniffCompression(Uint8Array.from(head))).toBe(kind)
  })
})
