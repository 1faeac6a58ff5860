import { expect, test } from 'vitest'
import { parseDuration } from './duration.js'

test.each([
  ['90', 90_000],
  ['90s', 90_000],
  ['0.5s', 500],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['0', 0],
])('%s is %i milliseconds', (text, expected) => {
  expect(parseDuration(text)).toBe(expected)
})

test.each(['', 's', '-1', '1d', '1 s', 'soon', '1m30s', '9'.repeat(400)])('"%s" is refused', text => {
  expect(() => parseDuration(text)).toThrow('is no length of time')
})
