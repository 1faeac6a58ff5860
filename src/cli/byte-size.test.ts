import { expect, test } from 'vitest'
import { parseByteSize } from './byte-size.js'

test.each([
  ['65536', 65_536],
  ['100B', 100],
  ['512KiB', 524_288],
  ['64k', 65_536],
  ['8MiB', 8_388_608],
  ['8M', 8_388_608],
  ['1.5MB', 1_500_000],
  ['1GiB', 1_073_741_824],
])('reads %s as %i bytes', (text, bytes) => {
  expect(parseByteSize(text, 1)).toBe(bytes)
})

test.each(['', 'MiB', '-1MiB', '1 MiB', '1TiB', '0x10', '1e3', '8MiBs', '999999999GiB'])(
  'refuses %j',
  text => {
    expect(() => parseByteSize(text, 1)).toThrow(`${text} is no size`)
  },
)

test('refuses what is too small, and says how much it must be', () => {
  expect(() => parseByteSize('1KiB', 65_536)).toThrow(
    expect.objectContaining({ message: '1KiB is too small', hint: 'Give at least 64KiB', kind: 'usage' }),
  )
})
