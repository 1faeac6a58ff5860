import { expect, it } from 'vitest'
import { nameFilter } from './tag-patterns.js'

const matches = (glob: string, name: string) => nameFilter({ include: [glob] })(name)

it.each([
  ['1.*', '1.0'],
  ['*', 'latest'],
  ['*', ''],
  ['v?', 'v1'],
  ['v[0-9]', 'v7'],
  ['v[!0-9]*', 'vx1'],
  ['v[^0-9]', 'vx'],
  ['[]x]', ']'],
  ['[a-]', '-'],
  ['*-rc*', '1.0-rc1'],
  ['a*b*c', 'aXbYbZc'],
  ['team/*', 'team/app/part'],
  ['1.0', '1.0'],
])('%s matches %s', (glob, name) => expect(matches(glob, name)).toBe(true))

it.each([
  ['1.*', '10'],
  ['v?', 'v'],
  ['v?', 'v10'],
  ['v[0-9]', 'vx'],
  ['v[!0-9]', 'v1'],
  ['1.0', '1x0'],
  ['Latest', 'latest'],
  ['a*b*c', 'aXbYbZ'],
  ['1', '10'],
  ['(a|b)+', 'ab'],
])('%s does not match %s', (glob, name) => expect(matches(glob, name)).toBe(false))

it('takes what one of the first and none of the second matches, and without any everything', () => {
  const isWanted = nameFilter({ include: ['1.*', '2.*'], exclude: ['*-rc?', '*-beta'] })
  expect(['1.0', '2.0', '3.0', '1.0-rc1', '2.0-beta', '1.0-rc10'].filter(isWanted)).toEqual([
    '1.0',
    '2.0',
    '1.0-rc10',
  ])
  expect(nameFilter({})('latest')).toBe(true)
  expect(nameFilter({ include: [], exclude: ['l*'] })('latest')).toBe(false)
})

it('needs no time for what makes a backtracking search run for ever', () => {
  const name = `${'a'.repeat(120)}b`
  expect(matches(`${'*a'.repeat(60)}*c`, name)).toBe(false)
  expect(matches(`${'*a'.repeat(60)}*b`, name)).toBe(true)
})

it.each([
  ['', '"" is not a pattern: it is empty'],
  ['v[0-9', '"v[0-9" is not a pattern: its [ is never closed'],
  ['[]', '"[]" is not a pattern: its [ is never closed'],
  ['x'.repeat(1025), `"${'x'.repeat(100)}" is not a pattern: it is longer than 1024 characters`],
])('refuses %s', (glob, message) => {
  expect(() => nameFilter({ exclude: [glob] })).toThrow(
    expect.objectContaining({ message, kind: 'usage', code: 'bad-pattern' }),
  )
})
