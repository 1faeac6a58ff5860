import { randomUUID } from 'node:crypto'
import { link, open, rename, rm } from 'node:fs/promises'
import { systemCodeOf } from '../../errors.js'

/** Writes a file as a whole, unless it is there already: then that one stays as it is. */
export async function createFile(path: string, text: string, mode: number): Promise<void> {
  await withTemporaryFile(path, text, mode, async temporary => {
    try {
      await link(temporary, path)
    } catch (error) {
      if (systemCodeOf(error) !== 'EEXIST') throw error
    }
  })
}

/** Writes a file as a whole, in the place of one that may be there. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  await withTemporaryFile(path, text, mode, temporary => rename(temporary, path))
}

/** The file is never seen half-written, and never with more permissions than it is to have. */
async function withTemporaryFile(
  path: string,
  text: string,
  mode: number,
  use: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await use(temporary)
  } finally {
    await rm(temporary, { force: true })
  }
}
