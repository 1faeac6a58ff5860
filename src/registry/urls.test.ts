import { describe, expect, test } from 'vitest'
import type { Endpoint } from './send.js'
import { appendQuery, displayUrl, resolveServerUrl, type UrlPurpose } from './urls.js'

function resolve(
  text: string,
  registry = 'https://r.example',
  purpose: UrlPurpose = 'Location',
  allowInternal = false,
) {
  const endpoint: Endpoint = { registry: 'r', base: new URL(registry), insecure: false }
  const policy = { isInsecure: (host: string) => host === 'plain.example', allowInternal }
  return resolveServerUrl(text, new URL('/v2/a/blobs/uploads/', registry), endpoint, purpose, policy).href
}

describe('R42, R44: a Location', () => {
  test.each([
    ['/u/1?a=b', 'https://r.example/u/1?a=b'],
    ['?a=b', 'https://r.example/v2/a/blobs/uploads/?a=b'],
    ['r.example/u', 'https://r.example/u'],
    ['r.example:443/u', 'https://r.example/u'],
    ['//r.example/u', 'https://r.example/u'],
    ['http://r.example/u', 'https://r.example/u'],
    ['https://r.example:443/u', 'https://r.example/u'],
    ['https://store.example/u', 'https://store.example/u'],
    ['/u#fragment', 'https://r.example/u'],
  ])('%s', (text, expected) => {
    expect(resolve(text)).toBe(expected)
  })

  test('that lost TLS keeps the port of the registry', () => {
    expect(resolve('http://r.example:5000/u', 'https://r.example:5000')).toBe('https://r.example:5000/u')
    expect(resolve('http://r.example/u', 'https://r.example:5000')).toBe('https://r.example:5000/u')
  })
})

describe('R213, R214, R216: not followed', () => {
  test.each([
    ['ftp://r.example/u', 'scheme ftp:'],
    ['file:///etc/passwd', 'scheme file:'],
    ['https://user:pass@store.example/u', 'user name'],
    ['http://store.example/u', 'leave TLS'],
    ['https://127.0.0.1/u', 'internal address'],
    ['https://localhost/u', 'internal address'],
    ['https://10.1.2.3/u', 'internal address'],
    ['https://192.168.0.1/u', 'internal address'],
    ['https://169.254.169.254/latest', 'internal address'],
    ['https://0.0.0.0/u', 'internal address'],
    ['https://2130706433/u', 'internal address'],
    ['https://0x7f.1/u', 'internal address'],
    ['https://0177.0.0.1/u', 'internal address'],
    ['https://[::1]/u', 'internal address'],
    ['https://[::]/u', 'internal address'],
    ['https://[::ffff:127.0.0.1]/u', 'internal address'],
    ['https://[::ffff:a9fe:a9fe]/u', 'internal address'],
    ['https://[fd00:ec2::254]/u', 'internal address'],
    ['https://[fe80::1]/u', 'internal address'],
    ['/u\r\nx: y', 'malformed'],
    ['', 'malformed'],
  ])('%s: %s', (text, why) => {
    expect(() => resolve(text)).toThrow(why)
  })

  test('an internal address from a registry on loopback', () => {
    expect(() => resolve('http://10.0.0.1/u', 'http://127.0.0.1:5000')).toThrow('internal address')
  })
})

describe('R213, R216: followed', () => {
  test.each([
    ['an internal address where that is allowed', 'https://10.0.0.1/u', 'https://r.example', true],
    ['the same private address', 'http://10.0.0.1:9000/u', 'http://10.0.0.1:5000', false],
    ['loopback from loopback', 'http://127.0.0.1:9000/u', 'http://localhost:5000', false],
    ['clear text to a host that is insecure', 'http://plain.example/u', 'https://r.example', false],
  ])('%s', (_what, text, registry, allow) => {
    expect(resolve(text, registry, 'redirect', allow)).toBe(text)
  })
})

describe('R217: a realm', () => {
  test('in clear text on the same host is upgraded', () => {
    expect(resolve('http://r.example/token', 'https://r.example', 'realm')).toBe('https://r.example/token')
  })

  test('in clear text on another host is refused, even for a registry in clear text', () => {
    for (const registry of ['https://r.example', 'http://r.example']) {
      expect(() => resolve('http://auth.example/token', registry, 'realm')).toThrow('leave TLS')
    }
  })

  test('on another host with TLS is normal', () => {
    expect(resolve('https://auth.example/token', 'https://r.example', 'realm')).toBe(
      'https://auth.example/token',
    )
  })
})

test('R43: appends to a query without touching it', () => {
  const url = new URL('https://r.example/u?_state=a%2fB==&x')
  expect(appendQuery(url, 'digest', 'sha256:a').href).toBe(
    'https://r.example/u?_state=a%2fB==&x&digest=sha256%3Aa',
  )
  expect(appendQuery(new URL('https://r.example/u'), 'digest', 'd').href).toBe('https://r.example/u?digest=d')
})

test('R219: shows no query', () => {
  expect(displayUrl(new URL('https://r.example:5000/v2/a?token=secret'))).toBe('r.example:5000/v2/a')
})
