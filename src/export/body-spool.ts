import { SpoolFile, type SpoolRange } from '../archive/spool-file.js'

/** How many bytes are gathered before they are written: layers have many tiny files. */
const WRITE_SIZE = 256 * 1024
/** How many bytes are read at once where files follow each other as they did in their layer. */
const WINDOW_SIZE = 128 * 1024
/** What is read next follows what was read before when it is at most this many bytes further. */
const NEAR = 16 * 1024

/** Keeps the contents of files in one temporary file: all are written before any is read. */
export class BodySpool implements AsyncDisposable {
  readonly #file: SpoolFile
  #pending: Uint8Array[] = []
  #pendingSize = 0
  #window: { offset: number; bytes: Buffer } = { offset: 0, bytes: Buffer.alloc(0) }

  private constructor(file: SpoolFile) {
    this.#file = file
  }

  /** @throws ArchiveError `spool-failed` */
  static async create(): Promise<BodySpool> {
    return new BodySpool(await SpoolFile.create())
  }

  /** Where the next bytes go. */
  get size(): number {
    return this.#file.size + this.#pendingSize
  }

  /** @throws ArchiveError `spool-failed`, when the disk is full for one */
  async append(bytes: Uint8Array): Promise<void> {
    if (bytes.length >= WRITE_SIZE / 4) {
      await this.flush()
      await this.#file.append(bytes)
      return
    }
    this.#pending.push(bytes)
    this.#pendingSize += bytes.length
    if (this.#pendingSize >= WRITE_SIZE) await this.flush()
  }

  /** Writes what was gathered. */
  async flush(): Promise<void> {
    if (this.#pendingSize === 0) return
    const bytes = Buffer.concat(this.#pending, this.#pendingSize)
    this.#pending = []
    this.#pendingSize = 0
    await this.#file.append(bytes)
  }

  /** The bytes of a stretch, after {@link flush}. */
  async *read({ offset, size }: SpoolRange): AsyncGenerator<Buffer> {
    if (size > WINDOW_SIZE) {
      yield* this.#file.open({ offset, size }) as AsyncIterable<Buffer>
      return
    }
    if (size > 0) yield await this.#readSmall(offset, size)
  }

  /** Of a layer that is in another order than the result, reading ahead would read everything many times. */
  async #readSmall(offset: number, size: number): Promise<Buffer> {
    const end = this.#window.offset + this.#window.bytes.length
    if (offset < this.#window.offset || offset + size > end) {
      const isNear = offset >= this.#window.offset && offset <= end + NEAR
      const length = isNear ? Math.min(WINDOW_SIZE, this.#file.size - offset) : size
      this.#window = { offset, bytes: await this.#file.read({ offset, size: length }) }
    }
    const start = offset - this.#window.offset
    return this.#window.bytes.subarray(start, start + size)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]()
  }
}
