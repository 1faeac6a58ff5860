import { describe, expect, it } from 'vitest'
import { parseCompression } from './image-flags.js'

describe('parseCompression', () => {
  it.each([
    ['auto', { algorithm: 'auto' }],
    ['keep', { algorithm: 'keep' }],
    ['gzip', { algorithm: 'gzip' }],
    ['gzip:9', { algorithm: 'gzip', level: 9 }],
    ['zstd:19', { algorithm: 'zstd', level: 19 }],
  ])('reads %s', (text, expected) => {
    expect(parseCompression(text)).toEqual(expected)
  })

  it.each(['', 'brotli', 'gzip:0', 'gzip:10', 'gzip:', 'gzip:9x', 'zstd:20', 'auto:1', 'keep:1', 'GZIP'])(
    'refuses %j and says what there is',
    text => {
      expect(() => parseCompression(text)).toThrow(
        expect.objectContaining({
          kind: 'usage',
          code: 'bad-compression',
          message: `"${text}" is not a compression`,
          hint: 'Choose auto, keep, gzip, gzip:1 to gzip:9, zstd, or zstd:1 to zstd:19',
        }),
      )
    },
  )
})
