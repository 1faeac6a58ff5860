import { crc32 } from 'node:zlib'
import { expect, it } from 'vitest'
import { randomBytes } from '../../test/support/random-bytes.js'
import { joinChecksums } from './checksum.js'

const bytes = randomBytes(3, 300_000)

it.each([0, 1, 2, 7, 4096, 65_537, 299_999, 300_000])(
  'joins the checksums of what comes before and after byte %d',
  at => {
    const [first, second] = [bytes.subarray(0, at), bytes.subarray(at)]
    expect(joinChecksums(crc32(first), crc32(second), second.length)).toBe(crc32(bytes))
  },
)

it('joins the checksums of many pieces, of which the last one is shorter', () => {
  let checksum = 0
  for (let at = 0; at < bytes.length; at += 7000) {
    const piece = bytes.subarray(at, at + 7000)
    checksum = joinChecksums(checksum, crc32(piece), piece.length)
  }
  expect(checksum).toBe(crc32(bytes))
})

it('goes on from nothing', () => {
  expect(joinChecksums(0, crc32(bytes), bytes.length)).toBe(crc32(bytes))
})
