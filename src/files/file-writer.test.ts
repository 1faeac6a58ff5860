import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { randomBytes } from '../../test/support/random-bytes.js'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { FileWriter } from './file-writer.js'

const MIB = 1024 * 1024

it('writes pieces of any size one after another from where it begins', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  const bytes = randomBytes(1, 5 * MIB)
  const file = await open(path, 'w')
  await file.write(bytes.subarray(0, 100))
  const writer = new FileWriter(file, 100)
  for (let start = 100, length = 1; start < bytes.length; start += length, length = (length * 3) % 70_001)
    await writer.add(bytes.subarray(start, start + length))
  await writer.end()
  await file.close()
  expect((await readFile(path)).equals(bytes)).toBe(true)
})

it('goes on where a call wrote less than it was given', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  const bytes = randomBytes(2, MIB)
  const file = await open(path, 'w')
  const short = Object.create(file, {
    writev: {
      value: async ([first = Buffer.alloc(0)]: readonly Buffer[], position: number) =>
        await file.write(first, 0, Math.ceil(first.length / 2), position),
    },
  })
  const writer = new FileWriter(short, 0)
  for (let start = 0; start < bytes.length; start += 65_536)
    await writer.add(bytes.subarray(start, start + 65_536))
  await writer.end()
  await file.close()
  expect((await readFile(path)).equals(bytes)).toBe(true)
})

it('makes who gives more wait while the disk is busy', async () => {
  let release = () => {}
  const busy = new Promise<void>(resolve => {
    release = resolve
  })
  const calls: number[] = []
  const writev = async (pieces: readonly Buffer[]) => {
    const bytesWritten = pieces.reduce((sum, piece) => sum + piece.length, 0)
    calls.push(bytesWritten)
    await busy
    return { bytesWritten }
  }
  const writer = new FileWriter({ writev } as never, 0)
  expect(writer.add(Buffer.alloc(MIB / 2))).toBeUndefined()
  expect(writer.add(Buffer.alloc(MIB / 2))).toBeUndefined()
  const full = writer.add(Buffer.alloc(MIB / 2))
  expect(full).toBeInstanceOf(Promise)
  release()
  await full
  // What waited was written at once.
  expect(calls).toEqual([MIB / 2, MIB])
})

it('tells a failure of the disk to the next who gives, and at the end', async () => {
  const writev = async () => {
    throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  }
  const writer = new FileWriter({ writev } as never, 0)
  expect(writer.add(Buffer.alloc(10))).toBeUndefined()
  await expect(writer.end()).rejects.toThrow('no space left')
  await expect(writer.add(Buffer.alloc(10))).rejects.toThrow('no space left')
})
