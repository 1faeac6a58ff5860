import { describe, expect, it } from 'vitest'
import { parseServerName, serverNames } from './server-names.js'

describe('names of a server', () => {
  it.each(['0.0.0.0', '::'])('leave out %s, which nobody calls', host => {
    const texts = serverNames(host).map(name => name.text)
    expect(texts.slice(0, 3)).toEqual(['localhost', '127.0.0.1', '::1'])
    expect(texts).not.toContain(host)
  })

  it('are there once each, whatever the way in which they are written', () => {
    const texts = serverNames('LOCALHOST', ['::0001', '127.0.0.1', 'A.example', 'a.example']).map(
      name => name.text,
    )
    expect(texts).toEqual([...new Set(texts)])
    expect(texts).toContain('a.example')
  })

  it.each([
    ['192.0.2.1', 'c0000201'],
    ['2001:db8::8:0', '20010db8000000000000000000080000'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
  ])('have the bytes of %s', (text, hex) => {
    const name = parseServerName(text)
    expect(name.kind === 'ip' && name.bytes.toString('hex')).toBe(hex)
  })

  it.each([
    '',
    'a b',
    'host:5000',
    'https://host',
    'a..b',
    '*',
    'a.*.b',
    '-a',
    'fe80::1%eth0',
    '300.1.1.1',
    '7',
  ])('are refused as "%s"', text => {
    expect(() => parseServerName(text)).toThrow(`"${text}" is no name of a server`)
  })

  it('are refused when they are too long', () => {
    expect(() => parseServerName(`${'a'.repeat(64)}.example`)).toThrow('is no name of a server')
    expect(() => parseServerName('a.'.repeat(130))).toThrow('is no name of a server')
  })
})
