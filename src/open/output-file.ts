import { createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { RegctlError } from '../errors.js'
import { createExclusive, syncFolder, uniqueName } from '../files/atomic-file.js'
import { explainDiskError } from '../files/disk-error.js'
import { makeFolder } from '../files/make-folder.js'

/**
 * Writes a stream to where the user wants it.
 *
 * @param output a file, which appears or is replaced once everything is there and on the disk, and whose folder is made;
 * or a stream, which stays open
 * @param open is called once there is something to write to: a stream that fails while nobody listens would end the process
 * @throws RegctlError `output-is-folder` of kind `usage`; what `open` and its stream fail with, and then the file is as it was before
 */
export async function writeOutput(
  output: string | Writable,
  open: () => Promise<Readable>,
  signal: AbortSignal,
): Promise<void> {
  if (typeof output === 'string') await writeFile(output, open, signal)
  else await pipeline(await open(), output, { signal, end: false })
}

async function writeFile(path: string, open: () => Promise<Readable>, signal: AbortSignal): Promise<void> {
  const present = await stat(path).catch(() => undefined)
  if (present?.isDirectory()) {
    throw new RegctlError(`${path} is a folder`, {
      kind: 'usage',
      code: 'output-is-folder',
      hint: 'Name the file to write',
    })
  }
  // A device or a fifo is written to; taking its name for a file would be wrong.
  if (present !== undefined && !present.isFile()) {
    await pipeline(await open(), createWriteStream(path), { signal })
    return
  }
  await makeFolder(dirname(path))
  const incomplete = join(dirname(path), `.${basename(path)}-${uniqueName()}`)
  const file = await createExclusive(incomplete)
  try {
    // The stream closes the file, once its bytes are on the disk.
    const stream = file.createWriteStream({ flush: true })
    try {
      await pipeline(await open(), stream, { signal })
    } finally {
      stream.destroy()
    }
    await rename(incomplete, path)
  } catch (error) {
    await rm(incomplete, { force: true })
    throw explainDiskError(error, path)
  }
  await syncFolder(dirname(path))
}

/** @throws RegctlError `output-is-terminal` of kind `usage` for a terminal, which binary data would only make a mess of */
export function refuseTerminal(output: string | Writable, what: string, hint: string): void {
  if (typeof output === 'string' || (output as Partial<NodeJS.WriteStream>).isTTY !== true) return
  throw new RegctlError(`standard output is a terminal, and the result is ${what}`, {
    kind: 'usage',
    code: 'output-is-terminal',
    hint,
  })
}
