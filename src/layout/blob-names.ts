import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** The paths of all blobs of a layout within its folder, sorted. */
export async function blobNames(folder: string): Promise<string[]> {
  const folders = ['sha256', 'sha512'].map(algorithm => `blobs/${algorithm}`)
  const names = await Promise.all(
    folders.map(async blobs => {
      // There is no folder where nothing was put.
      const hex = await readdir(join(folder, blobs)).catch(() => [])
      return hex.sort().map(name => `${blobs}/${name}`)
    }),
  )
  return names.flat()
}

/** The bytes of all blobs of a layout. */
export async function sizeOfBlobs(folder: string): Promise<number> {
  const sizes = (await blobNames(folder)).map(async name => (await lstat(join(folder, name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
