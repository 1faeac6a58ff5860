import { rename, rm } from 'node:fs/promises'
import { createExclusive, uniqueName } from './atomic-file.js'

/**
 * Makes or replaces a small file of the cache, for this user alone. Readers see the old text or the new. It is not waited
 * for until it is on the disk: what a crash of the machine leaves is for its readers to check.
 *
 * @throws what the disk throws, and then nothing of it stays
 */
export async function replaceCacheFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${uniqueName()}`
  try {
    const file = await createExclusive(temporary, 0o600)
    try {
      await file.writeFile(text)
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
}
