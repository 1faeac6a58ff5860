import { describe, expect, it } from 'vitest'
import { WeightedLimit } from './limit.js'

describe('WeightedLimit', () => {
  it('runs no more than its count at once', async () => {
    const { start, running } = pieces(new WeightedLimit({ count: 2 }))
    const works = [start(1), start(1), start(1)]
    await settled()
    expect(running()).toEqual([0, 1])
    works[0]?.finish()
    await settled()
    expect(running()).toEqual([1, 2])
  })

  it('runs no more than its weight at once, small pieces together', async () => {
    const { start, running } = pieces(new WeightedLimit({ count: 10, weight: 10 }))
    const works = [start(4), start(6), start(1)]
    await settled()
    expect(running()).toEqual([0, 1])
    works[0]?.finish()
    await settled()
    expect(running()).toEqual([1, 2])
  })

  it('runs a piece that is heavier than the whole alone', async () => {
    const { start, running } = pieces(new WeightedLimit({ count: 10, weight: 10 }))
    const works = [start(1), start(100), start(1)]
    await settled()
    expect(running()).toEqual([0])
    works[0]?.finish()
    await settled()
    expect(running()).toEqual([1])
    works[1]?.finish()
    await settled()
    expect(running()).toEqual([2])
  })

  it('lets no light piece overtake a heavy one, which would never start', async () => {
    const { start, running } = pieces(new WeightedLimit({ count: 10, weight: 10 }))
    start(8)
    start(5)
    start(1)
    await settled()
    expect(running()).toEqual([0])
  })

  it('passes on results and errors, and goes on after an error', async () => {
    const limit = new WeightedLimit({ count: 1 })
    await expect(limit.run(1, async () => 'result')).resolves.toBe('result')
    await expect(limit.run(1, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    const throwing = limit.run(1, () => {
      throw new Error('at once')
    })
    await expect(throwing).rejects.toThrow('at once')
    await expect(limit.run(1, async () => 'more')).resolves.toBe('more')
  })
})

/** Pieces of work that end when they are told to. */
function pieces(limit: WeightedLimit) {
  const running = new Set<number>()
  let count = 0
  const start = (weight: number) => {
    const number = count++
    let finish = () => {}
    const end = new Promise<void>(resolve => {
      finish = resolve
    })
    const done = limit.run(weight, async () => {
      running.add(number)
      await end
      running.delete(number)
    })
    return { finish, done }
  }
  return { start, running: () => [...running] }
}

async function settled(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}
