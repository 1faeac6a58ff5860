import { describe, expect, it } from 'vitest'
import { RoomPool, RoomsClosed } from './room-pool.js'

function pool(most: number) {
  const made: { input: Uint8Array }[] = []
  const make = () => {
    const room = { input: new Uint8Array(0) }
    made.push(room)
    return room
  }
  return { rooms: new RoomPool(make, most), made }
}

/** Whether a promise has settled once everything that is due has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const later = new Promise(resolve => setImmediate(resolve, 'later'))
  return (await Promise.race([promise.catch(() => {}), later])) !== 'later'
}

describe('RoomPool', () => {
  it('makes no more rooms than it may, and gives those that come back', async () => {
    const { rooms, made } = pool(3)
    const user = rooms.join()
    const taken = [await user.take(), await user.take(), await user.take()]
    const waiting = user.take()
    expect(await isSettled(waiting)).toBe(false)
    user.give(taken[1] ?? { input: new Uint8Array(0) })
    expect(await waiting).toBe(taken[1])
    expect(made).toHaveLength(3)
  })

  it('serves first who came first', async () => {
    const { rooms } = pool(4)
    const [first, second] = [rooms.join(), rooms.join()]
    const room = await first.take()
    await first.take()
    await second.take()
    await second.take()
    const later = second.take()
    const sooner = first.take()
    first.give(room)
    expect(await sooner).toBe(room)
    expect(await isSettled(later)).toBe(false)
  })

  it('always has two for a stream that has none, so that it can go on', async () => {
    const { rooms, made } = pool(2)
    const first = rooms.join()
    await first.take()
    await first.take()
    const second = rooms.join()
    await second.take()
    await second.take()
    expect(await isSettled(second.take())).toBe(false)
    expect(made).toHaveLength(4)
  })

  it('makes no more rooms for a stream that has none again and again, while another takes what it gets', async () => {
    const { rooms, made } = pool(2)
    const [first, second] = [rooms.join(), rooms.join()]
    await first.take()
    await first.take()
    const greedy = first.take()
    for (let round = 0; round < 10; round++) {
      const room = await second.take()
      second.give(room)
    }
    expect(await isSettled(greedy)).toBe(false)
    expect(made).toHaveLength(3)
  })

  it('ends the waiting of a stream that is closed, and of no other', async () => {
    const { rooms } = pool(2)
    const [first, second] = [rooms.join(), rooms.join()]
    await first.take()
    await first.take()
    await second.take()
    const room = await second.take()
    const [given, refused] = [first.take(), second.take()]
    const failing = expect(refused).rejects.toThrow(RoomsClosed)
    second.close()
    await failing
    await expect(second.take()).rejects.toThrow(RoomsClosed)
    expect(await isSettled(given)).toBe(false)
    second.give(room)
    expect(await given).toBe(room)
  })
})
