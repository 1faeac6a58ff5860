import { describe, expect, it, test } from 'vitest'
import { framingOf } from './framing.js'
import { formatRequestHead, parseResponseHead } from './head.js'
import { keepsConnection, ResponseParser } from './response-parser.js'

describe('the head of an answer', () => {
  it('has its fields by name in lower case, several as a list', () => {
    const { status, minorVersion, headers } = parseResponseHead(
      'HTTP/1.1 401 Not yet\r\nA:1\r\nWWW-Authenticate: \tBasic \r\nwww-authenticate: Bearer\r\nEmpty:\r\n__proto__: x',
    )
    expect([status, minorVersion]).toEqual([401, 1])
    expect({ ...headers }).toEqual({
      a: '1',
      'www-authenticate': ['Basic', 'Bearer'],
      empty: '',
      ['__proto__']: 'x',
    })
  })

  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.6'],
    ['another version', 'HTTP/2.0 200 OK'],
    ['a status that is none', 'HTTP/1.1 20 OK'],
    ['a control character', 'HTTP/1.1 200 OK\r\nA: \x1b[2J'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c'],
    ['a blank before the colon', 'HTTP/1.1 200 OK\r\nA : b'],
    ['no colon', 'HTTP/1.1 200 OK\r\nA'],
    ['no name', 'HTTP/1.1 200 OK\r\n: b'],
    ['a line feed alone', 'HTTP/1.1 200 OK\nA: b'],
  ])('is refused with %s', (_what, text) => {
    expect(() => parseResponseHead(text)).toThrow(expect.objectContaining({ code: 'HTTP_MALFORMED' }))
  })
})

describe('the framing of a body', () => {
  const framing = (...fields: string[]) =>
    framingOf('GET', parseResponseHead(['HTTP/1.1 200 OK', ...fields].join('\r\n')))

  it.each([
    ['two lengths', 'Content-Length: 3\r\nContent-Length: 4'],
    ['the same length twice', 'Content-Length: 3\r\nContent-Length: 3'],
    ['a list of lengths', 'Content-Length: 3, 3'],
    ['a length with a sign', 'Content-Length: +3'],
    ['a length that no number holds', 'Content-Length: 99999999999999999999'],
    ['a length and chunks', 'Content-Length: 3\r\nTransfer-Encoding: chunked'],
    ['another coding', 'Transfer-Encoding: gzip, chunked'],
    ['chunks twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'],
  ])('R234: is refused with %s', (_what, fields) => {
    expect(() => framing(fields)).toThrow(expect.objectContaining({ code: 'HTTP_MALFORMED' }))
  })

  it('is refused with chunks in HTTP/1.0', () => {
    const head = parseResponseHead('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked')
    expect(() => framingOf('GET', head)).toThrow('its framing is not clear')
  })

  it.each([
    ['a size that is none', 'x\r\n'],
    ['a size with a sign', '-1\r\n'],
    ['a size that no number holds', 'fffffffffffffff\r\n'],
    ['a chunk that is longer than its size', '1\r\nab\r\n'],
    ['a line feed alone', '1\na\n'],
    ['a line without end', 'a'.repeat(5000)],
  ])('in chunks is refused with %s', (_what, body) => {
    const add = () => framing('Transfer-Encoding: chunked').add(Buffer.from(body), 0, () => {})
    expect(add).toThrow(expect.objectContaining({ code: 'HTTP_MALFORMED' }))
  })

  it('in chunks may have trailers, within bounds', () => {
    const add = () =>
      framing('Transfer-Encoding: chunked').add(Buffer.from(`0\r\n${'A: b\r\n'.repeat(6000)}`), 0, () => {})
    expect(add).toThrow('a line between its chunks is too long')
  })
})

test('a connection that changes to another protocol is given up', () => {
  const parser = new ResponseParser('GET', { head: () => {}, data: () => {}, end: () => {} })
  const upgrade = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n')
  expect(() => parser.add(upgrade)).toThrow('the answer changes to another protocol')
})

test.each([
  ['HTTP/1.1 200 OK', true],
  ['HTTP/1.1 200 OK\r\nConnection: Keep-Alive', true],
  ['HTTP/1.1 200 OK\r\nConnection: x, Close', false],
  ['HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: close', false],
  ['HTTP/1.0 200 OK', false],
])('%j keeps the connection: %s', (text, isKept) => {
  expect(keepsConnection(parseResponseHead(text))).toBe(isKept)
})

test('a request is written in order, and refuses what would be another field', () => {
  const headers = { host: 'r.example', authorization: 'Bearer x' }
  const head = formatRequestHead({ method: 'GET', target: '/v2/?a=b', headers })
  expect(`${head}`).toBe('GET /v2/?a=b HTTP/1.1\r\nhost: r.example\r\nauthorization: Bearer x\r\n\r\n')
  const write = () =>
    formatRequestHead({ method: 'GET', target: '/', headers: { authorization: 'secret\r\nX: y' } })
  expect(write).toThrow('the request has a field that is none: "authorization"')
  expect(() => formatRequestHead({ method: 'GET', target: '/ x', headers: {} })).toThrow(
    'a target that is none',
  )
})

test('R234: a request has no field in two spellings', () => {
  const headers = { 'content-length': '5', 'Content-Length': '0' }
  expect(() => formatRequestHead({ method: 'PUT', target: '/', headers })).toThrow('a field in two spellings')
})
