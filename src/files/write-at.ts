import type { FileHandle } from 'node:fs/promises'

/**
 * The most that is given to the system at once. It keeps what one call brings in pieces of memory as large: beyond this
 * they are hard to come by, and a file of 345 MB took up to ten times as long.
 */
const MOST_BYTES = 512 * 1024

/** Writes bytes to a place of a file, all of them: one call may write less than it is given. They are the caller's again then. */
export async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const length = Math.min(bytes.length - done, MOST_BYTES)
    const { bytesWritten } = await file.write(bytes, done, length, position + done)
    done += bytesWritten
  }
}
