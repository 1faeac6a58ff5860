import { describe, expect, it } from 'vitest'
import { printable } from './printable.js'

describe('printable', () => {
  it('leaves text of any language as it is', () => {
    expect(printable('naïve 名前 שלום 🚀')).toBe('naïve 名前 שלום 🚀')
  })

  it('takes the power out of terminal escape sequences (R231)', () => {
    expect(printable('\x1b[31mred\x1b[0m \x1b]0;title\x07')).toBe('[31mred[0m ]0;title')
    expect(printable('\x9b2Jgone')).toBe('2Jgone')
  })

  it('leaves out every control character (R231)', () => {
    const controls = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).join('')
    expect(printable(controls)).toMatch(/^[\x20-\x7e]*$/)
  })

  it('makes one line of several (R231)', () => {
    expect(printable('one\r\ntwo\u2028three\tfour')).toBe('one two three four')
  })

  it('leaves out what changes the direction of text (R231)', () => {
    expect(printable('a\u202egnp.exe\u202c\u2066\u2069\u200f')).toBe('agnp.exe')
  })
})
