import { expect, test } from 'vitest'
import { offsetAfterChunk, parseUploadRange, uploadedBytes } from './upload-range.js'

test.each([
  ['0-9', 10],
  ['bytes=0-9', 10],
  [' 0-9 ', 10],
  ['0-0', 0],
  ['0--1', 0],
  ['bytes=0--1', 0],
  ['0--2', undefined],
  ['1-9', undefined],
  ['bytes 0-9', undefined],
  ['0-9/10', undefined],
  ['0-99999999999999999999', undefined],
  ['', undefined],
  [undefined, undefined],
])('R48: reads the Range %j as %s bytes', (text, count) => {
  expect(parseUploadRange(text)).toBe(count)
})

test.each([
  ['0-9', 20, 10],
  ['0-19', 20, 20],
  ['0-20', 20, 20],
  ['0-21', 20, undefined],
  ['0-0', 20, 0],
  [undefined, 20, undefined],
])('R49: an upload of which %j is there goes on, with %i bytes sent, at %s', (text, sent, offset) => {
  expect(uploadedBytes(text, sent)).toBe(offset)
})

test.each([
  ['0-9', 10, 10],
  ['0-8', 10, 10],
  ['0-7', 10, 8],
  ['0-10', 10, 10],
  ['0-11', 10, undefined],
  ['0-0', 10, 10],
  ['nonsense', 10, 10],
  [undefined, 10, 10],
])('R49: goes on after a chunk that was accepted with %j, and ended at %i, at %s', (text, end, offset) => {
  expect(offsetAfterChunk(text, end)).toBe(offset)
})
