import { describe, expect, it } from 'vitest'
import { timeAgo } from './elapsed.js'

const NOW = new Date('2026-06-15T12:00:00Z')

describe('timeAgo', () => {
  it.each([
    ['2026-06-15T12:00:00Z', 'Less than a second ago'],
    ['2026-06-15T11:59:59Z', '1 second ago'],
    ['2026-06-15T11:59:15.5Z', '44 seconds ago'],
    ['2026-06-15T11:58:30Z', 'About a minute ago'],
    ['2026-06-15T11:15:00Z', '45 minutes ago'],
    ['2026-06-15T11:00:00Z', 'About an hour ago'],
    ['2026-06-15T02:00:00Z', '10 hours ago'],
    ['2026-06-13T13:00:00Z', '47 hours ago'],
    ['2026-06-10T12:00:00Z', '5 days ago'],
    ['2026-05-20T12:00:00Z', '3 weeks ago'],
    ['2026-01-15T12:00:00+02:00', '5 months ago'],
    ['2022-01-15T12:00:00.123456789Z', '4 years ago'],
    ['2027-01-01T00:00:00Z', 'in the future'],
    ['1970-01-01T00:00:00Z', 'N/A'],
    ['0001-01-01T00:00:00Z', 'N/A'],
    ['yesterday', 'N/A'],
    [undefined, 'N/A'],
  ])('says of %s: %s', (time, words) => {
    expect(timeAgo(time, NOW)).toBe(words)
  })
})
