import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { systemCodeOf } from '../errors.js'
import { DiskRate } from './disk-rate.js'
import { EarlySync } from './early-sync.js'
import { bytesToBoundary, LargeFileRun } from './large-file-run.js'
import { writeAt } from './write-at.js'

/** How a {@link LargeFile} is written. */
export interface LargeFileOptions {
  /** The path of the file, by which it is opened once more. Undefined for what is read again soon, from the system's cache. */
  path?: string | undefined
  /** Whether it is to be on the disk at its end. */
  durable: boolean
  /** For tests. */
  rate?: DiskRate
}

/**
 * A large file that is written in several places at once.
 *
 * As long as the disk keeps up, most of it goes past the system's cache (`O_DIRECT`): to copy it there takes the processor
 * as long as to uncompress it. Where the disk is slow, or the system can't do that, the cache takes everything.
 */
export class LargeFile {
  readonly #file: FileHandle
  readonly #rate: DiskRate
  readonly #early: EarlySync | undefined
  /** What is being written past the cache. */
  readonly #writing = new Set<Promise<void>>()
  /** The system lets one at a time write through the cache to a file, and keeps the others busy with waiting. */
  #last: Promise<void> = Promise.resolve()
  #direct: FileHandle | undefined

  private constructor(file: FileHandle, direct: FileHandle | undefined, options: LargeFileOptions) {
    this.#file = file
    this.#direct = direct
    this.#rate = options.rate ?? new DiskRate()
    this.#early = options.durable ? new EarlySync(file) : undefined
  }

  /** @param file is open for writing, empty, and stays open until {@link settle} has come to its end */
  static async of(file: FileHandle, options: LargeFileOptions): Promise<LargeFile> {
    return new LargeFile(
      file,
      options.path === undefined ? undefined : await openDirect(options.path),
      options,
    )
  }

  /** Writes bytes to a place, through the cache. They are the caller's again then. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    const writing = this.#last.then(() => writeAt(this.#file, bytes, position))
    this.#last = writing.catch(() => {})
    await writing
    this.#early?.wrote(bytes.length)
  }

  /** Bytes that come one after another, to a place where nobody else writes. @param size of all of them */
  run(position: number, size: number): LargeFileRun {
    return new LargeFileRun(this, position, size)
  }

  /** How long the first chunk should be of what goes to a place, for the others to lie where they need not be copied. */
  cutAt(position: number): number | undefined {
    return (this.isDirect && bytesToBoundary(position)) || undefined
  }

  /** Whether {@link writeDirect} does more than {@link write}. */
  get isDirect(): boolean {
    return this.#direct !== undefined && !this.#rate.isSlow
  }

  /** Writes as {@link write}, past the cache where that can be. Place, length and memory must be aligned. */
  async writeDirect(bytes: Buffer, position: number): Promise<void> {
    const writing = this.#writeDirect(bytes, position)
    this.#writing.add(writing)
    await writing.finally(() => this.#writing.delete(writing))
  }

  async #writeDirect(bytes: Buffer, position: number): Promise<void> {
    const direct = this.#rate.isSlow ? undefined : this.#direct
    const done = direct === undefined ? 0 : await this.#tryDirect(direct, bytes, position)
    if (done < bytes.length) await this.write(bytes.subarray(done), position + done)
  }

  /** @returns how many bytes were written */
  async #tryDirect(file: FileHandle, bytes: Buffer, position: number): Promise<number> {
    try {
      const { bytesWritten } = await this.#rate.measure(bytes.length, () =>
        file.write(bytes, 0, bytes.length, position),
      )
      return bytesWritten
    } catch (error) {
      // The file system has no such thing, or wants more at once.
      if (!['EINVAL', 'ENOTSUP'].includes(systemCodeOf(error) ?? '')) throw error
      this.#rate.isSlow = true
      return 0
    }
  }

  /** Waits until nothing is under way, without a look at how it went: the file can be closed. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#writing)
    await this.#early?.settle()
    await this.#direct?.close()
    this.#direct = undefined
  }

  /** Comes after {@link settle}. Waits until everything is on the disk, if it is to be. @throws what the disk throws, also earlier */
  async end(): Promise<void> {
    await this.#early?.end()
  }
}

/** Undefined where that can't be done. */
async function openDirect(path: string): Promise<FileHandle | undefined> {
  if (constants.O_DIRECT === undefined) return undefined
  const flags = constants.O_WRONLY | constants.O_DIRECT | (constants.O_NOFOLLOW ?? 0)
  return await open(path, flags).catch(() => undefined)
}
