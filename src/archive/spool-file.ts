import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { type Chunks, chunksOf } from '../content/chunks.js'
import { messageOf } from '../errors.js'
import { rangeAccess, rangeStream, readRange } from '../tar/range-stream.js'
import { ArchiveError } from './archive-error.js'

/** A stretch of a {@link SpoolFile}. */
export interface SpoolRange {
  offset: number
  size: number
}

/**
 * A temporary file that grows at its end and is read anywhere. Only this user can read it (mode 0600, in a folder of
 * mode 0700). Where the system allows it, it loses its name at once, so that nothing is left behind however we end.
 */
export class SpoolFile implements AsyncDisposable {
  readonly #folder: string
  readonly #file: FileHandle
  #size = 0

  private constructor(folder: string, file: FileHandle) {
    this.#folder = folder
    this.#file = file
  }

  /** @param parent where its folder is made; the system's temporary folder if not given */
  static async create(parent = tmpdir()): Promise<SpoolFile> {
    try {
      const folder = await mkdtemp(join(parent, 'regctl-spool-'))
      try {
        const file = await open(join(folder, 'members'), 'wx+', 0o600)
        if (process.platform !== 'win32') await rm(folder, { recursive: true, force: true })
        return new SpoolFile(folder, file)
      } catch (error) {
        await rm(folder, { recursive: true, force: true })
        throw error
      }
    } catch (error) {
      throw spoolFailed(parent, error)
    }
  }

  /** Appends bytes. One writer at a time. Of zeros, all but the last becomes a hole, which takes no room on the disk. */
  async append(bytes: Uint8Array): Promise<void> {
    try {
      const isHole = bytes.length >= SMALLEST_HOLE && isAllZeros(bytes)
      if (isHole) this.#size += bytes.length - 1
      for (let written = isHole ? bytes.length - 1 : 0; written < bytes.length; ) {
        const result = await this.#file.write(bytes, written, bytes.length - written, this.#size)
        written += result.bytesWritten
        this.#size += result.bytesWritten
      }
    } catch (error) {
      throw spoolFailed(this.#folder, error)
    }
  }

  /** How many bytes it has: the offset of what is appended next. */
  get size(): number {
    return this.#size
  }

  /** Streams a stretch from an offset in it on. */
  open(range: SpoolRange, from = 0): Readable {
    const start = Math.min(from, range.size)
    return rangeStream(this.#file, range.offset + start, range.size - start, 'the temporary file')
  }

  /** As {@link open}, for those who keep no chunk. */
  chunks({ offset, size }: SpoolRange, from = 0): Chunks {
    return chunksOf(rangeAccess(this.#file, offset, size, 'the temporary file'), from)
  }

  /** Reads a stretch into memory. */
  async read({ offset, size }: SpoolRange): Promise<Buffer> {
    return await readRange(this.#file, offset, size)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** Fewer zeros than this are not worth looking for: disks are written in blocks of 4 KiB. */
const SMALLEST_HOLE = 16 * 1024
const ZEROS = Buffer.alloc(1024 * 1024)

function isAllZeros(bytes: Uint8Array): boolean {
  return bytes.length <= ZEROS.length && ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) === 0
}

function spoolFailed(folder: string, cause: unknown): ArchiveError {
  return new ArchiveError(`cannot write a temporary file in ${folder}: ${messageOf(cause)}`, {
    kind: 'failed',
    code: 'spool-failed',
    hint: 'Set TMPDIR to a folder with more room.',
    cause,
  })
}
