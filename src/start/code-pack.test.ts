import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { packCode, unpackCode } from './code-pack.js'

const codes = new Map([
  ['regctl.cjs', randomBytes(5003)],
  ['empty.cjs', Buffer.alloc(0)],
  ['push.cjs', randomBytes(70_000)],
])
const packed = packCode(codes)

it('gives back what was packed', () => {
  expect(unpackCode(Buffer.from(packed))).toEqual(codes)
})

it.each([0, 1, 15, 16, 40, 5000, packed.length - 1])('finds nothing in %d bytes of it', length => {
  expect(unpackCode(packed.subarray(0, length)).size).toBe(0)
})

it('finds nothing in a longer file', () => {
  expect(unpackCode(Buffer.concat([packed, Buffer.alloc(64)])).size).toBe(0)
})

it.each([0, 512, 5120, packed.length - 512])('notices a lost block at %d', from => {
  const changed = Buffer.from(packed)
  changed.fill(0, from, from + 512)
  expect(unpackCode(changed).size).toBe(0)
})

it('finds nothing in another file', () => {
  expect(unpackCode(randomBytes(packed.length)).size).toBe(0)
})
