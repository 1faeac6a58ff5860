import { describe, expect, test } from 'vitest'
import { hostnameOf, InsecureRegistries } from './insecure-registries.js'

describe('R148: insecure registries', () => {
  test.each([
    'localhost',
    'localhost:5000',
    'a.localhost',
    '127.0.0.1',
    '127.9.9.9:80',
    '[::1]',
    '[::1]:5000',
  ])('%s is one by default', host => {
    expect(new InsecureRegistries().matches(host)).toBe(true)
  })

  test.each(['r.example', '10.0.0.1', 'localhost.example', '128.0.0.1', '[fe80::1]', 'docker.io'])(
    '%s is none by default',
    host => {
      expect(new InsecureRegistries().matches(host)).toBe(false)
    },
  )

  test.each([
    ['r.example', 'r.example:5000', true],
    ['r.example:5000', 'r.example:5000', true],
    ['r.example:5000', 'r.example:5001', false],
    ['R.Example', 'r.example', true],
    ['http://r.example', 'r.example', true],
    ['10.0.0.0/8', '10.1.2.3:5000', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['fd00::/8', '[fd12::1]:443', true],
  ])('the entry %s and %s: %s', (entry, host, expected) => {
    expect(new InsecureRegistries([entry]).matches(host)).toBe(expected)
  })

  test('a name that resolves into a listed range is one; a failed look-up is none', async () => {
    const resolve = async (host: string) => {
      if (host === 'inside.example') return ['192.0.2.1', '10.1.1.1']
      throw new Error('ENOTFOUND')
    }
    const registries = new InsecureRegistries(['10.0.0.0/8'], resolve)
    expect(await registries.resolves('inside.example:5000')).toBe(true)
    expect(await registries.resolves('outside.example')).toBe(false)
  })

  test('Docker Hub never is', async () => {
    expect(await new InsecureRegistries(['0.0.0.0/0'], async () => ['10.0.0.1']).resolves('docker.io')).toBe(
      false,
    )
  })

  test.each(['', 'a b', '10.0.0.0/33', 'r.example/path', 'user@host'])('refuses %j', entry => {
    expect(() => new InsecureRegistries([entry])).toThrow('is no insecure registry')
  })
})

test.each([
  ['r.example:5000', 'r.example'],
  ['[::1]:5000', '::1'],
  ['::1', '::1'],
])('the name in %s is %s', (host, name) => {
  expect(hostnameOf(host)).toBe(name)
})
