import { describe, expect, it } from 'vitest'
import { holds, textOf, unlessRefused } from '../../test/support/properties.js'
import { displayWidth } from './display-width.js'
import { parseCompression, parseDigestOption } from './image-flags.js'

describe('values of flags', () => {
  it('are refused, or one of those that the hint names', async () => {
    await holds(
      textOf('gzip', 'zstd', ':', 'auto', 'keep', '1', '9', '19', '-', '.', 'none', '\n'),
      async text => {
        const found = await unlessRefused(() => parseCompression(text))
        if (found === undefined) return
        const level = found.level === undefined ? '' : `:${found.level}`
        expect(text.replace(/:0/, ':').replace(/\n$/, '')).toBe(`${found.algorithm}${level}`)
      },
      500,
    )
    await holds(textOf('sha256:', 'a'.repeat(64), '../'), async text => {
      await unlessRefused(() => parseDigestOption(text, '--digest'))
    })
  })

  it('and whatever else is shown have a width', async () => {
    await holds(textOf('a', '日', '\u0301', '👩‍👩‍👧', '\u001b[31m', '\ud800'), text => {
      expect(displayWidth(text)).toBeGreaterThanOrEqual(0)
    })
  })
})
