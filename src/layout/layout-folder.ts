import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCodeOf } from '../errors.js'
import { openRegular, replaceFile } from '../files/atomic-file.js'
import { exists } from '../files/exists.js'
import { makeFolder } from '../files/make-folder.js'
import { LayoutError } from './layout-error.js'
import {
  checkLayoutFile,
  LAYOUT_FILE,
  LAYOUT_FILE_TEXT,
  LAYOUT_LIMIT_BYTES,
  noLayoutFile,
  tooLarge,
} from './layout-format.js'

/**
 * Whether a folder holds a layout.
 *
 * @param mayCreate whether the caller would make a layout there
 * @returns false when a layout can be made there: the folder is absent or empty, or a layout is just being made in it
 * @throws LayoutError of kind `not-found` when it is absent and none may be made; `bad-layout` when it holds something
 * else; those of `checkLayoutFile`
 */
export async function isLayout(folder: string, mayCreate: boolean): Promise<boolean> {
  const names = await namesIn(folder)
  if (names?.includes(LAYOUT_FILE)) {
    const file = await openRegular(join(folder, LAYOUT_FILE))
    try {
      const size = (await file?.stat())?.size ?? 0
      if (size > LAYOUT_LIMIT_BYTES) throw tooLarge(`${LAYOUT_FILE} in ${folder}`, LAYOUT_LIMIT_BYTES)
      checkLayoutFile((await file?.readFile()) ?? new Uint8Array(), folder)
    } finally {
      await file?.close()
    }
    return true
  }
  if (mayCreate && (names ?? []).every(isBeingMade)) return false
  if (names === undefined) {
    throw new LayoutError(`there is no folder ${folder}`, { kind: 'not-found', code: 'no-such-file' })
  }
  if (!mayCreate) throw noLayoutFile(folder)
  throw new LayoutError(`${folder} holds other files and no OCI layout`, {
    kind: 'usage',
    code: 'bad-layout',
    hint: 'Name a folder that is new, empty or an OCI layout',
  })
}

/** Whether a file is what another run, at this moment or before it was killed, has of `oci-layout` under another name. */
function isBeingMade(name: string): boolean {
  return name.startsWith(`${LAYOUT_FILE}.`)
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder)
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === 'ENOENT') return undefined
    if (code !== 'ENOTDIR') throw error
    throw new LayoutError(`${folder} is a file, where a folder is wanted`, {
      kind: 'usage',
      code: 'not-a-folder',
    })
  }
}

/** Makes a folder and its `oci-layout`, where they are absent. @param durable wait until it is on the disk */
export async function initializeLayout(folder: string, durable: boolean): Promise<void> {
  await makeFolder(folder)
  const path = join(folder, LAYOUT_FILE)
  if (!(await exists(path))) await replaceFile(path, Buffer.from(LAYOUT_FILE_TEXT), { durable })
}
