import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { randomBytes } from '../../test/support/random-bytes.js'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { writeAt } from './write-at.js'

it('goes on where a call wrote less than it was given', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  const bytes = randomBytes(2, 100_000)
  const file = await open(path, 'w')
  const short = Object.create(file, {
    write: {
      value: async (given: Buffer, from: number, length: number, position: number) =>
        await file.write(given, from, Math.ceil(length / 2), position),
    },
  })
  await writeAt(short, bytes.subarray(40_000), 40_000)
  await writeAt(short, bytes.subarray(0, 40_000), 0)
  await file.close()
  expect((await readFile(path)).equals(bytes)).toBe(true)
})
