import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, type FileHandle, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { systemCodeOf } from '../errors.js'
import { explainDiskError } from './disk-error.js'
import { FileError } from './file-error.js'

/** Does not follow a link in the last part of a path (rule R224). Windows has no such flag, and few links. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0

/** A part of a file name that no other writer takes. */
export function uniqueName(): string {
  return `${process.pid}-${randomBytes(6).toString('hex')}`
}

const UNIQUE_NAME = /^\d+-[0-9a-f]{12}$/

/** Who may read what is written, besides its owner, when nothing else is said: everybody. */
const READABLE = 0o644

/**
 * Makes a file for writing that is not there yet, not even as a link.
 *
 * @param mode its permissions from the first moment, less those that the process's umask takes away
 */
export async function createExclusive(path: string, mode = READABLE): Promise<FileHandle> {
  return await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW, mode)
}

/**
 * Opens a regular file for reading. The caller closes it.
 *
 * @returns undefined when nothing is there
 * @throws FileError `unsafe-link` for a symbolic link, `bad-member-type` for anything else that is no regular file
 */
export async function openRegular(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle
  try {
    // Without NONBLOCK, opening a fifo would wait for its writer.
    file = await open(path, constants.O_RDONLY | NO_FOLLOW | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'ELOOP') {
      throw new FileError(`${path} is a symbolic link, which is not followed`, {
        kind: 'corrupt',
        code: 'unsafe-link',
        cause: error,
      })
    }
    throw error
  }
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw new FileError(`${path} is not a regular file`, { kind: 'corrupt', code: 'bad-member-type' })
}

/** How a small file is written. */
export interface WriteNewOptions {
  /** Its permissions, less those that the process's umask takes away. Default: everybody may read it. */
  mode?: number
  /** Wait until it is on the disk. Default true; needless where nothing is lost when the power fails. */
  durable?: boolean
}

/** Writes a file that is not there yet. */
export async function writeNew(
  path: string,
  bytes: Uint8Array,
  { mode = READABLE, durable = true }: WriteNewOptions = {},
): Promise<void> {
  const file = await createExclusive(path, mode)
  try {
    await file.writeFile(bytes)
    if (durable) await file.sync()
  } finally {
    await file.close()
  }
}

/**
 * Replaces a small file as one step that survives a crash: readers see the old content or the new, never a part.
 * A link at `path` is replaced, not followed.
 */
export async function replaceFile(
  path: string,
  bytes: Uint8Array,
  options: WriteNewOptions = {},
): Promise<void> {
  const temporary = `${path}.${uniqueName()}`
  try {
    await writeNew(temporary, bytes, options)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw explainDiskError(error, path)
  }
  if (options.durable ?? true) await syncFolder(dirname(path))
}

/**
 * Removes what {@link replaceFile} has left beside a file when its process was killed. Only for those who hold a lock
 * that every writer of the file takes: nobody else is writing then.
 */
export async function removeAbandoned(path: string): Promise<void> {
  const folder = dirname(path)
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    const rest = name.startsWith(`${basename(path)}.`) ? name.slice(basename(path).length + 1) : ''
    if (UNIQUE_NAME.test(rest)) await rm(join(folder, name), { force: true })
  }
}

/** Moves a file, also to another disk. What is at `to` is replaced. */
export async function moveFile(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (systemCodeOf(error) !== 'EXDEV') throw error
    await copyFile(from, to)
    await rm(from, { force: true })
  }
}

/** Makes the names in a folder durable. Systems that cannot do that (Windows) do without. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } catch (error) {
    // Some network file systems refuse to sync a folder.
    if (systemCodeOf(error) !== 'EINVAL') throw error
  } finally {
    await handle.close()
  }
}
