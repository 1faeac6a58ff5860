import { constants } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { randomBytes } from '../../test/support/random-bytes.js'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { DiskRate } from './disk-rate.js'
import { LargeFile } from './large-file.js'

const KIB = 1024
const CONTENT = randomBytes(1, 3 * 1024 * KIB + 777)

/** Memory that begins at a page, as that of a decompressor. */
function pages(): Buffer {
  return Buffer.from(new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true }).buffer)
}

interface Writing {
  position: number
  /** How long each chunk is, in turns. */
  lengths: readonly number[]
  /** Whether each chunk begins at a page. */
  inPages?: boolean
  rate?: DiskRate
  path?: boolean
  durable?: boolean
}

/** Writes to two places at once, and gives what is in the file. */
async function written({ position, lengths, inPages = true, rate, path = true, durable = true }: Writing) {
  await using folder = await temporaryFolder()
  const name = join(folder.path, 'file')
  const handle = await open(name, 'w')
  const second = position + CONTENT.length + 512
  await handle.truncate(second + CONTENT.length)
  const file = await LargeFile.of(handle, { path: path ? name : undefined, durable, ...(rate && { rate }) })
  const write = async (start: number) => {
    const memory = pages()
    const first = start === position ? file.cutAt(start) : undefined
    for (let at = 0, turn = 0; at < CONTENT.length; turn++) {
      const length = turn === 0 && first !== undefined ? first : (lengths[turn % lengths.length] ?? 1)
      const chunk = CONTENT.subarray(at, at + length)
      chunk.copy(memory)
      await file.write(inPages ? memory.subarray(0, chunk.length) : chunk, start + at)
      at += length
    }
  }
  await Promise.all([write(position), write(second)])
  await file.write(Buffer.from('the start').subarray(0, position), 0)
  await file.settle()
  await file.end()
  await handle.close()
  const found = await readFile(name)
  const [one, other] = [position, second].map(start => found.subarray(start, start + CONTENT.length))
  return {
    isRight: one?.equals(CONTENT) === true && other?.equals(CONTENT) === true,
    start: found.subarray(0, 9),
  }
}

describe('a large file', () => {
  it.each([
    ['as the cutting was wished for, in pages', 512, [512 * KIB], true],
    ['from an even place on', 128 * KIB, [512 * KIB], true],
    ['in pieces of any length', 1536, [1, 70_001, 511, 300_000, 600_000], false],
    ['in very large ones', 70_000, [4_000_000], false],
    ['in pieces of any length, in pages', 512, [65_536, 65_537, 3, 900_000], true],
  ] as const)('has what is written %s', async (_, position, lengths, inPages) => {
    for (const options of [{}, { durable: false }, { path: false }]) {
      const { isRight, start } = await written({ position, lengths, inPages, ...options })
      expect(isRight, JSON.stringify(options)).toBe(true)
      expect(start.toString()).toBe('the start')
    }
  })

  it('goes on through the cache where the disk is slow', async () => {
    let nowMs = 0
    const rate = new DiskRate(() => {
      nowMs += 1000
      return nowMs
    })
    const slowSoon = vi.spyOn(rate, 'measure').mockImplementation(async (_bytes, write) => {
      rate.isSlow = true
      return await write()
    })
    expect((await written({ position: 512, lengths: [512 * KIB], rate })).isRight).toBe(true)
    if (constants.O_DIRECT !== undefined) expect(slowSoon.mock.calls.length).toBeLessThanOrEqual(2)
  })

  it.each(['EINVAL', 'ENOTSUP'])('goes on through the cache where the file system says %s', async code => {
    const rate = new DiskRate()
    vi.spyOn(rate, 'measure').mockRejectedValue(Object.assign(new Error(code), { code }))
    expect((await written({ position: 512, lengths: [512 * KIB], rate })).isRight).toBe(true)
  })

  it('goes on where a write past the cache wrote a part', async () => {
    const rate = new DiskRate()
    vi.spyOn(rate, 'measure').mockImplementation(async (_bytes, write) => {
      await write()
      return { bytesWritten: 70_000 } as never
    })
    expect((await written({ position: 512, lengths: [512 * KIB], rate })).isRight).toBe(true)
  })

  it('fails with what the disk says', async () => {
    const rate = new DiskRate()
    vi.spyOn(rate, 'measure').mockRejectedValue(
      Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }),
    )
    if (constants.O_DIRECT === undefined) return
    await expect(written({ position: 512, lengths: [512 * KIB], rate })).rejects.toThrow('ENOSPC')
  })
})
