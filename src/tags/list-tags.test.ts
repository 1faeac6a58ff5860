import { expect, it } from 'vitest'
import type { ListOptions } from '../content/store.js'
import { chooseNames, type ListSelection } from './list-tags.js'

async function choose(names: readonly string[], selection: ListSelection) {
  const asked: ListOptions[] = []
  let taken = 0
  async function* list(options: ListOptions) {
    asked.push(options)
    for (const name of names) {
      taken++
      yield name
    }
  }
  const chosen: string[] = []
  for await (const name of chooseNames(list, selection)) chosen.push(name)
  return { chosen, asked, taken }
}

it('asks the list for no more than is wanted', async () => {
  expect(await choose(['a', 'b', 'c'], { limit: 2 })).toEqual({
    chosen: ['a', 'b'],
    asked: [{ limit: 2 }],
    taken: 2,
  })
  expect(await choose(['a'], { limit: 0 })).toEqual({ chosen: [], asked: [], taken: 0 })
})

it('does not know beforehand how many that is where patterns choose, and stops when it has them', async () => {
  expect(await choose(['a1', 'b1', 'b2', 'b3'], { limit: 2, include: ['b*'] })).toEqual({
    chosen: ['b1', 'b2'],
    asked: [{}],
    taken: 3,
  })
})

it('refuses a pattern before it asks for anything', async () => {
  await expect(choose(['a'], { exclude: [''] })).rejects.toMatchObject({ code: 'bad-pattern' })
})
