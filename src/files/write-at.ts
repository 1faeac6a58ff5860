import type { FileHandle } from 'node:fs/promises'

/** Writes bytes to a place of a file, all of them: one call may write less than it is given. They are the caller's again then. */
export async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
