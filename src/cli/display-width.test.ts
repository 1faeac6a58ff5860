import { describe, expect, it } from 'vitest'
import { displayWidth, pad, shorten, wrap } from './display-width.js'

describe('the width of text', () => {
  it.each([
    ['abc', 3],
    ['日本', 4],
    ['한', 2],
    ['e\u0301', 1],
    ['🚀', 2],
    ['├──', 3],
    ['', 0],
  ])('%s takes %i columns', (text, width) => {
    expect(displayWidth(text)).toBe(width)
  })

  it('counts when text is filled up', () => {
    expect(pad('日本', 6)).toBe('日本  ')
    expect(pad('1kB', 6, 'right')).toBe('   1kB')
    expect(pad('too long', 3)).toBe('too long')
  })

  it('counts when text is cut', () => {
    expect(shorten('abcdef', 6)).toBe('abcdef')
    expect(shorten('abcdefg', 6)).toBe('abcde…')
    expect(shorten('abcdefg', 6, '...')).toBe('abc...')
    expect(shorten('日本語', 5)).toBe('日本…')
    expect(shorten('日本語', 4)).toBe('日…')
  })
})

describe('wrapped text', () => {
  it('is broken at spaces, and within what is too long', () => {
    expect(wrap('one two three', 8, 9)).toEqual(['one two', 'three'])
    expect(wrap('abcdefghij', 4, 9)).toEqual(['abcd', 'efgh', 'ij'])
    expect(wrap('日本語', 4, 9)).toEqual(['日本', '語'])
  })

  it('ends where there is enough of it', () => {
    expect(wrap('aaaa bbbb cccc dddd', 4, 2)).toEqual(['aaaa', 'bbb…'])
  })

  it('is at least one line', () => {
    expect(wrap('', 4, 2)).toEqual([''])
  })
})
