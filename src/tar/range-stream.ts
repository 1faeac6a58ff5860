import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { RandomAccess } from '../content/random-access.js'
import { truncated } from './tar-error.js'

/** What is read at once: more where it pays, and where not many streams are open at the same time. */
const CHUNK_BYTES = 256 * 1024
const LARGE_CHUNK_BYTES = 1024 * 1024
const LARGE_BYTES = 32 * 1024 * 1024

/**
 * Streams a range of an open file. Many may read one handle at once; none closes it.
 *
 * @throws (as the stream's error) TarError `truncated` when the file is shorter than the range
 */
export function rangeStream(file: FileHandle, offset: number, size: number, label: string): Readable {
  let position = offset
  const end = offset + size
  const chunkBytes = size < LARGE_BYTES ? CHUNK_BYTES : LARGE_CHUNK_BYTES
  return new Readable({
    highWaterMark: chunkBytes,
    read() {
      if (position >= end) {
        this.push(null)
        return
      }
      readRange(file, position, Math.min(chunkBytes, end - position)).then(
        chunk => {
          if (chunk.length === 0) {
            this.destroy(becameShorter(label))
            return
          }
          position += chunk.length
          this.push(chunk)
        },
        error => this.destroy(error),
      )
    },
  })
}

/** As {@link rangeStream}, for a reader that has memory of its own, and need not read in order. */
export function rangeAccess(file: FileHandle, offset: number, size: number, label: string): RandomAccess {
  return {
    size,
    async readInto(into, from) {
      if ((await fill(file, into, offset + from)) < into.length) throw becameShorter(label)
    },
  }
}

/** Reads a range into memory: fewer bytes at the end of the file. */
export async function readRange(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  return buffer.subarray(0, await fill(file, buffer, offset))
}

/** Returns how many bytes there were. */
async function fill(file: FileHandle, into: Uint8Array, offset: number): Promise<number> {
  let filled = 0
  while (filled < into.length) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

function becameShorter(label: string): Error {
  return truncated(label, 'it became shorter while it was read')
}
