import { describe, expect, it } from 'vitest'
import { sizeBar } from './size-bar.js'

describe('the bar of a size', () => {
  it.each([
    [100, '████'],
    [50, '██'],
    [30, '█▎'],
    [97, '███▉'],
    [1, '▏'],
    [0, ''],
  ])('of %i in 100', (size, bar) => {
    expect(sizeBar(size, 100, 4, 'unicode')).toBe(bar)
  })

  it.each([
    [100, '####'],
    [50, '##'],
    [1, '#'],
    [0, ''],
  ])('of %i in 100 where there are no blocks', (size, bar) => {
    expect(sizeBar(size, 100, 4, 'ascii')).toBe(bar)
  })

  it('is empty when everything is', () => {
    expect(sizeBar(0, 0, 4, 'unicode')).toBe('')
  })
})
