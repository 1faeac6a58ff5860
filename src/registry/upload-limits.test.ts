import { expect, test } from 'vitest'
import { UploadLimit, UploadLimits } from './upload-limits.js'

const KIB = 1024
const MIB = 1024 * KIB

const succeed = (limit: UploadLimit, times: number) => {
  for (let count = 0; count < times; count++) limit.succeed(limit.chunkBytes ?? 0)
}

test('R55, R202: goes down to 64 KiB, and then no further', () => {
  const limit = new UploadLimit()
  const sizes: (number | undefined)[] = [limit.chunkBytes]
  for (let size = 200 * MIB; limit.refuse(size, true); size = limit.chunkBytes ?? 0)
    sizes.push(limit.chunkBytes)
  expect(sizes).toEqual([
    undefined,
    16 * MIB,
    8 * MIB,
    4 * MIB,
    MIB,
    ...[512, 256, 128, 64].map(size => size * KIB),
  ])
})

test('starts below the size that was refused', () => {
  const limit = new UploadLimit()
  limit.refuse(5 * MIB, true)
  expect(limit.chunkBytes).toBe(4 * MIB)
  expect(limit.refuse(60 * KIB, true)).toBe(false)
})

test('takes the word of another upload that found out meanwhile', () => {
  const limit = new UploadLimit()
  limit.refuse(5 * MIB, true)
  expect(limit.refuse(20 * MIB, true)).toBe(true)
  expect(limit.chunkBytes).toBe(4 * MIB)
})

test('grows after successes, and stays below what was said to be too large', () => {
  const limit = new UploadLimit()
  limit.refuse(2 * MIB, true)
  limit.refuse(MIB, false)
  limit.refuse(512 * KIB, false)
  expect(limit.chunkBytes).toBe(256 * KIB)
  succeed(limit, 7)
  expect(limit.chunkBytes).toBe(256 * KIB)
  succeed(limit, 1)
  expect(limit.chunkBytes).toBe(512 * KIB)
  succeed(limit, 100)
  expect(limit.chunkBytes).toBe(MIB)
})

test('does not try a third time what broke twice', () => {
  const limit = new UploadLimit()
  limit.refuse(5 * MIB, false)
  for (const _ of [1, 2]) {
    limit.refuse(4 * MIB, false)
    expect(limit.chunkBytes).toBe(MIB)
    succeed(limit, 16)
  }
  expect(limit.chunkBytes).toBe(2 * MIB)
  succeed(limit, 16)
  expect(limit.chunkBytes).toBe(2 * MIB)
})

test('begins with the size that is asked for, never goes above it, and sends nothing in one piece', () => {
  const limit = new UploadLimit(5 * MIB)
  expect(limit).toMatchObject({ chunkBytes: 5 * MIB, onlyChunks: true })
  succeed(limit, 100)
  expect(limit.chunkBytes).toBe(5 * MIB)
  limit.refuse(5 * MIB, true)
  expect(limit.chunkBytes).toBe(4 * MIB)
})

test('is one for each registry', () => {
  const limits = new UploadLimits()
  limits.of('a.example').refuse(2 * MIB, true)
  expect(limits.of('a.example').chunkBytes).toBe(MIB)
  expect(limits.of('b.example').chunkBytes).toBeUndefined()
})
