import { expect, it } from 'vitest'
import { DiskRate } from './disk-rate.js'

const PIECE = 1024 * 1024

/** Measures writes that take so many milliseconds each. */
async function measured(...lastingMs: number[]): Promise<DiskRate> {
  let nowMs = 0
  const rate = new DiskRate(() => nowMs)
  for (const ms of lastingMs) {
    const write = async () => {
      nowMs += ms
      return 'written'
    }
    expect(await rate.measure(PIECE, write)).toBe('written')
  }
  return rate
}

it('goes by the fastest of some writes: others may have waited for the processor', async () => {
  expect((await measured(...Array(200).fill(10))).isSlow).toBe(true)
  expect((await measured(...Array.from({ length: 200 }, (_, at) => (at % 40 === 0 ? 1 : 10)))).isSlow).toBe(
    false,
  )
})

it('sees a disk become slow, and does not trust it again', async () => {
  const fast = Array(64).fill(1)
  const slow = Array(64).fill(10)
  expect((await measured(...fast, ...slow.slice(1))).isSlow).toBe(false)
  expect((await measured(...fast, ...slow, ...fast)).isSlow).toBe(true)
})

it('counts no write that failed', async () => {
  const rate = await measured(...Array(63).fill(10))
  await expect(rate.measure(PIECE, () => Promise.reject(new Error('EIO')))).rejects.toThrow('EIO')
  expect(rate.isSlow).toBe(false)
})

it('counts writes at the same time together', async () => {
  const writes = async (count: number) => {
    let nowMs = 0
    const rate = new DiskRate(() => nowMs)
    for (let round = 0; round < 64; round++) {
      let end: () => void = () => {}
      const written = new Promise<void>(resolve => {
        end = resolve
      })
      const all = Array.from({ length: count }, () => rate.measure(PIECE, () => written))
      nowMs += 3
      end()
      await Promise.all(all)
    }
    return rate.isSlow
  }
  expect(await writes(1)).toBe(true)
  expect(await writes(4)).toBe(false)
})
