import { describe, expect, test } from 'vitest'
import { parseContentRange, parseRange } from './range.js'

describe('Range', () => {
  test.each([
    ['bytes=0-99', { first: 0, last: 99 }],
    ['bytes=100-', { first: 100, last: 999 }],
    ['bytes=-100', { first: 900, last: 999 }],
    ['bytes=-5000', { first: 0, last: 999 }],
    ['bytes=999-99999', { first: 999, last: 999 }],
    ['Bytes= 5-6', { first: 5, last: 6 }],
  ])('reads %s of 1000 bytes', (header, range) => {
    expect(parseRange(header, 1000)).toEqual(range)
  })

  test.each(['bytes=1000-', 'bytes=500-0', 'bytes=-0', 'bytes=5000-6000'])('finds no byte in %s', header => {
    expect(parseRange(header, 1000)).toBe('unsatisfiable')
  })

  test('finds no byte in an empty blob', () => {
    expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable')
    expect(parseRange('bytes=-1', 0)).toBe('unsatisfiable')
  })

  test.each([undefined, '', 'bytes=', 'bytes=-', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=a-b'])(
    'passes over %s',
    header => {
      expect(parseRange(header, 1000)).toBeUndefined()
    },
  )
})

describe('Content-Range of a chunk', () => {
  test.each(['0-99', 'bytes 0-99/*', 'bytes 0-99/1000', 'bytes=0-99'])('reads %s (R47)', header => {
    expect(parseContentRange(header)).toEqual({ first: 0, last: 99 })
  })

  test.each(['99-0', '0--1', '-5', '0-', 'bytes */100', '', '0-99999999999999999999'])(
    'refuses "%s"',
    header => {
      expect(parseContentRange(header)).toBe('malformed')
    },
  )

  test('knows that there is none', () => {
    expect(parseContentRange(undefined)).toBeUndefined()
  })
})
