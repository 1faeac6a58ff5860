import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { algorithmOf, Digester, digestOf, hexOf, isDigest, parseDigest, shortDigest } from './digest.js'

const HEX = createHash('sha256').update('hello').digest('hex')

describe('parseDigest', () => {
  it('takes sha256 and sha512 (R138, R208)', () => {
    expect(parseDigest(`sha256:${HEX}`)).toBe(`sha256:${HEX}`)
    const long = createHash('sha512').update('hello').digest('hex')
    expect(parseDigest(`sha512:${long}`)).toBe(`sha512:${long}`)
  })

  it('refuses upper-case hex and says so (R138)', () => {
    expect(() => parseDigest(`sha256:${HEX.toUpperCase()}`)).toThrow('its hex must be lower-case')
  })

  it.each([HEX.slice(1), `${HEX}0`, '', HEX.replace(/.$/, 'g')])(
    'refuses hex of the wrong length or letters (R138)',
    hex => {
      expect(() => parseDigest(`sha256:${hex}`)).toThrow('sha256 takes 64 hex digits')
    },
  )

  it('does not take the length of one algorithm for another (R138)', () => {
    expect(isDigest(`sha512:${HEX}`)).toBe(false)
    expect(isDigest(`sha256:${HEX}${HEX}`)).toBe(false)
  })

  it.each(['sha1', 'md5', 'sha384', 'blake3', 'SHA256', 'constructor', ''])(
    'does not trust the algorithm %j, and names it (R208)',
    algorithm => {
      expect(() => parseDigest(`${algorithm}:${HEX}`)).toThrow(
        `the algorithm "${algorithm}" is not one of sha256, sha512`,
      )
    },
  )

  it('refuses text without an algorithm', () => {
    expect(() => parseDigest(HEX)).toThrow('it names no algorithm')
  })

  it.each([
    `sha256:${HEX}\n`,
    ` sha256:${HEX}`,
    `sha256:${HEX}:1`,
    `sha256:../${HEX.slice(3)}`,
    `sha256:${HEX.slice(1)}/`,
  ])('refuses what would be dangerous in a path or a URL: %j (R204)', text => {
    expect(isDigest(text)).toBe(false)
    expect(() => parseDigest(text)).toThrow(/is not a digest/)
  })

  it('keeps its message short and printable', () => {
    const message = messageOf(() => parseDigest(`\x1b[2J${'x'.repeat(10_000)}`))
    expect(message).toMatch(/^[\x20-\x7e…]+$/)
    expect(message.length).toBeLessThan(250)
  })

  it('throws an error of kind corrupt', () => {
    expect(() => parseDigest('x')).toThrow(expect.objectContaining({ kind: 'corrupt', code: 'bad-digest' }))
  })
})

describe('digestOf and Digester', () => {
  it('hash the same bytes alike, at once and in pieces', () => {
    const digester = new Digester().update(Buffer.from('hel')).update(Buffer.from('lo'))
    expect(digester.size).toBe(5)
    expect(digester.digest()).toBe(`sha256:${HEX}`)
    expect(digestOf(Buffer.from('hello'))).toBe(`sha256:${HEX}`)
  })

  it('hash with sha512 when asked', () => {
    expect(isDigest(digestOf(Buffer.from('hello'), 'sha512'))).toBe(true)
  })
})

describe('the parts of a digest', () => {
  it('are its algorithm, its hex and the 12 characters for people', () => {
    const digest = digestOf(Buffer.from('hello'))
    expect(algorithmOf(digest)).toBe('sha256')
    expect(algorithmOf(digestOf(Buffer.from('hello'), 'sha512'))).toBe('sha512')
    expect(hexOf(digest)).toBe(HEX)
    expect(shortDigest(digest)).toBe('2cf24dba5fb0')
  })
})

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  return ''
}
