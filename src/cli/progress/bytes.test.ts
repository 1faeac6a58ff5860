import { describe, expect, it } from 'vitest'
import { formatBytes, formatSeconds } from './bytes.js'

describe('formatBytes', () => {
  it.each([
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [404_200, '404kB'],
    [12_345_678, '12.3MB'],
    [999_499, '999kB'],
    [999_600, '1MB'],
    [1_020_000_000, '1.02GB'],
    [5e18, '5000PB'],
  ])('writes %i bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
})

describe('formatSeconds', () => {
  it.each([
    [0, '0s'],
    [3.2, '4s'],
    [59.5, '1m00s'],
    [200, '3m20s'],
    [7500, '2h05m'],
  ])('writes %d seconds as %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text)
  })
})
