import { isIP } from 'node:net'
import { expect, it } from 'vitest'
import { ipVersion, isLoopbackAddress } from './ip-version.js'

it.each([
  '127.0.0.1',
  '10.0.0.300',
  '1.2.3',
  '::1',
  '::ffff:10.0.0.1',
  'fe80::1%eth0',
  '1:2',
  '[::1]',
  'localhost',
  'registry.example:5000',
  '10.0.0.1:5000',
  '',
])('sees in "%s" what Node does', text => {
  expect(ipVersion(text)).toBe(isIP(text))
})

it.each([
  ['127.0.0.1', true],
  ['127.255.0.9', true],
  ['::1', true],
  ['127.0.0.1.example', false],
  ['128.0.0.1', false],
  ['::2', false],
  ['localhost', false],
])('says of %s whether it is an address of this machine: %s', (text, expected) => {
  expect(isLoopbackAddress(text)).toBe(expected)
})
