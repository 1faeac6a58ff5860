import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** The sizes of all files below a folder, in MB. */
export async function diskUsageMB(folder: string): Promise<number> {
  return (await bytesBelow(folder)) / 1e6
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name)
    const found = await lstat(path).catch(() => undefined)
    bytes += found?.isDirectory() ? await bytesBelow(path) : (found?.size ?? 0)
  }
  return bytes
}
