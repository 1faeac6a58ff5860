import { expect, it } from 'vitest'
import { meanOfMiddle } from './starts.js'

it('takes the mean of the middle half, so that single outliers do not matter', () => {
  expect(meanOfMiddle([20, 21, 900, 20, 0, 21, 19, 22])).toBe(20.5)
  expect(meanOfMiddle([7])).toBe(7)
})
