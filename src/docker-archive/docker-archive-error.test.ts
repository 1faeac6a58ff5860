import { expect, it } from 'vitest'
import { brokenArchive } from './docker-archive-error.js'

it('an error shows no control characters of names that an archive holds (R231)', () => {
  const { message } = brokenArchive('missing-layer', 'layer a\x1b[2J\u202e\r\n is not in memory')
  expect(message).toBe('layer a[2J  is not in memory')
})
