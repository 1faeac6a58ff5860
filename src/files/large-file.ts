import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { systemCodeOf } from '../errors.js'
import { DiskRate } from './disk-rate.js'
import { EarlySync } from './early-sync.js'
import { writeAt } from './write-at.js'

/** How a {@link LargeFile} is written. */
export interface LargeFileOptions {
  /** The path of the file, by which it is opened once more. Undefined for what is read again soon, from the system's cache. */
  path?: string | undefined
  /** Whether it is to be on the disk at its end. */
  durable: boolean
  /** Of the disk, where several files are written at once. */
  rate?: DiskRate | undefined
}

/**
 * What goes past the system's cache begins and ends at multiples of this: no page of the cache is larger, so that none holds
 * a part of it.
 */
const ALIGNMENT = 64 * 1024
/** The same of memory. */
const MEMORY_ALIGNMENT = 4096

/**
 * A large file that is written in several places at once.
 *
 * As long as the disk keeps up, what lies right for it goes past the system's cache (`O_DIRECT`): to copy it there takes the
 * processor up to as long as to uncompress it. Where the disk is slow, or the system can't do that, the cache takes everything.
 */
export class LargeFile {
  readonly #file: FileHandle
  readonly #rate: DiskRate
  readonly #early: EarlySync | undefined
  /** The end of what was written to the cache so far: at once, writes to one file keep each other waiting. */
  #last: Promise<void> = Promise.resolve()
  #direct: FileHandle | undefined

  private constructor(file: FileHandle, direct: FileHandle | undefined, options: LargeFileOptions) {
    this.#file = file
    this.#direct = direct
    this.#rate = options.rate ?? new DiskRate()
    this.#early = options.durable ? new EarlySync(file) : undefined
  }

  /** @param file is open for writing, and stays open until {@link settle} has come to its end */
  static async of(file: FileHandle, options: LargeFileOptions): Promise<LargeFile> {
    const direct = options.path === undefined ? undefined : await openDirect(options.path)
    return new LargeFile(file, direct, options)
  }

  /** How long the first chunk should be of what goes to a place, for the others to lie right for the disk. */
  cutAt(position: number): number | undefined {
    return (this.#fastWay && (ALIGNMENT - (position % ALIGNMENT)) % ALIGNMENT) || undefined
  }

  /**
   * Writes bytes to a place. They are the caller's again then.
   *
   * @param isReadSoon whether somebody will read them from the file: they go to the system's cache. Default: false
   */
  async write(bytes: Buffer, position: number, { isReadSoon = false } = {}): Promise<void> {
    const direct = !isReadSoon && isAligned(bytes, position) ? this.#fastWay : undefined
    const done = direct === undefined ? 0 : await this.#writeDirect(direct, bytes, position)
    if (done < bytes.length) await this.#writeToCache(bytes.subarray(done), position + done)
    this.#early?.wrote(bytes.length)
  }

  /** Waits until nothing is under way, without a look at how it went: the file can be closed. All writes have come to their end. */
  async settle(): Promise<void> {
    await this.#early?.settle()
    await this.#direct?.close()
    this.#direct = undefined
  }

  /** Comes after {@link settle}. Waits until everything is on the disk, if it is to be. @throws what the disk throws, also earlier */
  async end(): Promise<void> {
    await this.#early?.end()
  }

  /** Past the cache, as long as that is the faster way. */
  get #fastWay(): FileHandle | undefined {
    return this.#rate.isSlow ? undefined : this.#direct
  }

  async #writeToCache(bytes: Buffer, position: number): Promise<void> {
    const writing = this.#last.then(() => writeAt(this.#file, bytes, position))
    this.#last = writing.catch(() => {})
    await writing
  }

  /** @returns how many bytes were written */
  async #writeDirect(file: FileHandle, bytes: Buffer, position: number): Promise<number> {
    const length = bytes.length - (bytes.length % ALIGNMENT)
    try {
      const written = await this.#rate.measure(length, () => file.write(bytes, 0, length, position))
      return written.bytesWritten
    } catch (error) {
      // The file system has no such thing, or wants more at once.
      if (!['EINVAL', 'ENOTSUP'].includes(systemCodeOf(error) ?? '')) throw error
      this.#rate.isSlow = true
      return 0
    }
  }
}

/** Whether bytes may go past the cache from where they are. What is shared is WebAssembly's, and begins at a page. */
function isAligned({ buffer, byteOffset, length }: Buffer, position: number): boolean {
  const isPlaced = buffer instanceof SharedArrayBuffer && byteOffset % MEMORY_ALIGNMENT === 0
  return isPlaced && length >= ALIGNMENT && position % ALIGNMENT === 0
}

/** Undefined where that can't be done. */
async function openDirect(path: string): Promise<FileHandle | undefined> {
  if (constants.O_DIRECT === undefined) return undefined
  const flags = constants.O_WRONLY | constants.O_DIRECT | (constants.O_NOFOLLOW ?? 0)
  return await open(path, flags).catch(() => undefined)
}
