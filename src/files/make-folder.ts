import { access, constants, mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { systemCodeOf } from '../errors.js'
import { explainDiskError } from './disk-error.js'

/**
 * Makes a folder and those above it that are absent. Node's own recursive mkdir is of no use where a disk takes none: it
 * says that something was not found on one that is read-only, and never ends below /proc (seen with Node 20).
 *
 * @param mode of every folder that is made; what the umask leaves if not given
 * @returns whether the folder was made: false when it was there
 * @throws FileError `read-only-disk`, `no-permission`, `disk-full`; the system's error for anything else
 */
export async function makeFolder(path: string, mode = 0o777): Promise<boolean> {
  try {
    return await tryMake(path, mode)
  } catch (error) {
    const parent = dirname(resolve(path))
    if (systemCodeOf(error) !== 'ENOENT' || parent === resolve(path)) throw explainDiskError(error, path)
    await makeFolder(parent, mode)
  }
  try {
    return await tryMake(path, mode)
  } catch (error) {
    throw explainDiskError(error, path)
  }
}

async function tryMake(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode })
    return true
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return false
    throw error
  }
}

/**
 * Checks that something can be made in a folder, or in the lowest one above it that is there.
 *
 * @throws FileError `read-only-disk`, `no-permission`
 */
export async function checkWritable(folder: string): Promise<void> {
  try {
    await access(folder, constants.W_OK)
  } catch (error) {
    const parent = dirname(resolve(folder))
    if (systemCodeOf(error) !== 'ENOENT' || parent === resolve(folder)) throw explainDiskError(error, folder)
    await checkWritable(parent)
  }
}
