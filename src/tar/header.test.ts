import { describe, expect, it } from 'vitest'
import { looksLikeTar, parseHeader, parseNumber } from './header.js'
import { encodeHeaders } from './header-encode.js'
import { parsePax } from './pax.js'

const field = (text: string) => Buffer.from(text, 'latin1')

describe('parseNumber', () => {
  it.each([
    ['00000000012\0', 10],
    ['         12 ', 10],
    ['\0\0\0\0\0\0\0\0\0\0\0\0', 0],
    ['12\0garbage', 10],
    ['777777777777', 8 ** 12 - 1],
    ['\x80\0\0\0\0\0\0\0\0\0\x01\x02', 258],
  ])('reads %j', (text, value) => {
    expect(parseNumber(field(text), 'size')).toBe(value)
  })

  it.each([
    ['-0000000001\0', 'a size is not an octal number'],
    ['0000000008\0\0', 'a size is not an octal number'],
    ['0x10\0\0\0\0\0\0\0\0', 'a size is not an octal number'],
    ['\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00', 'a size is negative'],
    ['\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff', 'a size is impossibly large'],
  ])('refuses %j (R227)', (text, message) => {
    expect(() => parseNumber(field(text), 'size')).toThrow(message)
  })
})

describe('parseHeader', () => {
  it('puts prefix and name together', () => {
    const name = `${'a'.repeat(90)}/${'b'.repeat(90)}`
    const header = parseHeader(encodeHeaders({ name, type: '0', mode: 0o644, size: 5 }))
    expect(header).toEqual({ name, type: '0', linkName: '', size: 5 })
  })

  it('refuses a header in which one bit is wrong', () => {
    const block = encodeHeaders({ name: 'manifest.json', type: '0', mode: 0o644, size: 5 })
    block[3] = (block[3] ?? 0) ^ 1
    expect(() => parseHeader(block)).toThrow('the checksum of a header is wrong')
  })
})

describe('looksLikeTar', () => {
  it('knows a header, also one without a magic, and a cut one with it', () => {
    const block = encodeHeaders({ name: 'a', type: '0', mode: 0o644, size: 5 })
    expect(looksLikeTar(block)).toBe(true)
    expect(looksLikeTar(block.subarray(0, 300))).toBe(true)
    expect(looksLikeTar(block.subarray(0, 200))).toBe(false)
    expect(looksLikeTar(Buffer.alloc(512))).toBe(false)
    expect(looksLikeTar(Buffer.alloc(512, 'text '))).toBe(false)
  })
})

describe('parsePax', () => {
  it('reads what replaces fields, and passes over the rest', () => {
    const body = '13 path=a/ü\n12 size=123\n31 mtime=-1234567890.123456789\n13 SCHILY.x=\n'
    expect(parsePax(Buffer.from(body))).toEqual({ path: 'a/ü', size: 123 })
  })

  it.each(['99 path=a\n', '5 path=a\n', 'x path=a\n', '9 path=a', '0 path=a\n', '-9 path=a\n'])(
    'refuses the record %j (R227)',
    record => {
      expect(() => parsePax(Buffer.from(record))).toThrow('a PAX record has a wrong length')
    },
  )

  it('takes a size beyond all numbers as one that no archive holds', () => {
    expect(parsePax(Buffer.from('28 size=9223372036854775807\n')).size).toBe(Number.POSITIVE_INFINITY)
  })
})
