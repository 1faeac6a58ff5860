import { describe, expect, test } from 'vitest'
import { proxiesFrom } from './proxies.js'

const PROXY = 'http://proxy.example:3128'

function proxyOf(url: string, environment: NodeJS.ProcessEnv): string | undefined {
  return proxiesFrom(environment)(new URL(url))?.host
}

describe('R160: proxies are chosen as Go programs choose them', () => {
  test.each([
    ['https://r.example', { HTTPS_PROXY: PROXY }, 'proxy.example:3128'],
    ['https://r.example', { https_proxy: PROXY }, 'proxy.example:3128'],
    ['https://r.example', { HTTPS_PROXY: PROXY, https_proxy: 'http://lower:1' }, 'proxy.example:3128'],
    ['https://r.example', { HTTPS_PROXY: PROXY, https_proxy: '' }, 'proxy.example:3128'],
    ['https://r.example', { HTTP_PROXY: PROXY }, undefined],
    ['http://r.example', { HTTP_PROXY: 'proxy.example:3128' }, 'proxy.example:3128'],
    ['http://localhost:5000', { HTTP_PROXY: PROXY }, undefined],
    ['http://127.0.0.2:5000', { HTTP_PROXY: PROXY }, undefined],
    ['http://[::1]:5000', { HTTP_PROXY: PROXY }, undefined],
  ])('%s with %j: %s', (url, environment, expected) => {
    expect(proxyOf(url, environment)).toBe(expected)
  })

  test.each([
    ['r.example', 'https://r.example', true],
    ['r.example', 'https://a.r.example', true],
    ['r.example', 'https://other-r.example', false],
    ['.r.example', 'https://a.r.example', true],
    ['.r.example', 'https://r.example', false],
    ['*.r.example', 'https://a.r.example', true],
    ['r.example:5000', 'https://r.example:5000', true],
    ['r.example:5000', 'https://r.example', false],
    ['r.example:443', 'https://r.example', true],
    ['10.0.0.0/8', 'https://10.1.2.3', true],
    ['10.0.0.0/8', 'https://11.1.2.3', false],
    ['fd00::/8', 'https://[fd12::1]', true],
    ['10.1.2.3', 'https://10.1.2.3:5000', true],
    [' a.example , r.example', 'https://r.example', true],
    ['*', 'https://r.example', true],
    ['R.Example', 'https://r.example', true],
  ])('NO_PROXY=%s leaves out %s: %s', (list, url, isLeftOut) => {
    expect(proxyOf(url, { HTTPS_PROXY: PROXY, NO_PROXY: list }) === undefined).toBe(isLeftOut)
  })

  test('a malformed address is not repeated', () => {
    const bad = () => proxiesFrom({ HTTPS_PROXY: 'ftp://ada:canary@proxy' })
    expect(bad).toThrow(/^HTTPS_PROXY is no address of an HTTP proxy$/)
  })
})
