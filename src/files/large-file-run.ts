import type { LargeFile } from './large-file.js'

/**
 * What goes past the system's cache begins and ends at multiples of this: no page of the cache is larger, so that none holds
 * a part of it.
 */
const ALIGNMENT = 64 * 1024
/** The same of memory. */
const MEMORY_ALIGNMENT = 4096
/** How much is gathered before it goes past the cache. */
const PIECE_BYTES = 512 * 1024
/** What is smaller is left to the cache. */
const WORTH_BYTES = 1024 * 1024
/** WebAssembly's measure of memory. */
const PAGE_BYTES = 64 * 1024

/** How many bytes come before the next place of a file from which they may go past the cache. */
export function bytesToBoundary(position: number): number {
  return (ALIGNMENT - (position % ALIGNMENT)) % ALIGNMENT
}

/** Bytes that are written to a {@link LargeFile} one after another. */
export class LargeFileRun {
  readonly #file: LargeFile
  #position: number
  /** What lies between these goes past the cache. */
  readonly #from: number
  readonly #to: number
  #gathered: Gathered | undefined

  /** @param size of all of them */
  constructor(file: LargeFile, position: number, size: number) {
    this.#file = file
    this.#position = position
    const from = position + bytesToBoundary(position)
    const to = position + size - ((position + size) % ALIGNMENT)
    const isWorthIt = file.isDirect && to - from >= WORTH_BYTES
    this.#from = isWorthIt ? from : Number.POSITIVE_INFINITY
    this.#to = to
  }

  /** Writes the next bytes, which are the caller's again then. Those that are gathered are so at once. */
  async write(bytes: Buffer): Promise<void> {
    for (let rest = bytes; rest.length > 0; ) {
      const position = this.#position
      const isDirect = position >= this.#from && position < this.#to
      const end = position < this.#from ? this.#from : isDirect ? this.#to : Number.POSITIVE_INFINITY
      const part = rest.subarray(0, end - position)
      rest = rest.subarray(part.length)
      this.#position += part.length
      if (!isDirect) await this.#file.write(part, position)
      else if (this.#gathered === undefined && isAligned(part)) await this.#file.writeDirect(part, position)
      else await this.#gather(part, position)
    }
  }

  async #gather(bytes: Buffer, position: number): Promise<void> {
    this.#gathered ??= new Gathered(this.#file, position)
    await this.#gathered.add(bytes)
    if (this.#position === this.#to) await this.#gathered.flush()
  }

  /** Waits until all of them are written, if not yet on the disk. */
  async end(): Promise<void> {
    await this.#gathered?.end()
  }

  /** Writes also what was given before its time to be written came: nothing follows. */
  async close(): Promise<void> {
    await this.#gathered?.close()
  }
}

/** Whether bytes may go past the cache from where they are. What is shared is WebAssembly's, and begins at a page. */
function isAligned({ buffer, byteOffset, length }: Buffer): boolean {
  const isPlaced = buffer instanceof SharedArrayBuffer && byteOffset % MEMORY_ALIGNMENT === 0
  return isPlaced && length % ALIGNMENT === 0
}

/** Bytes that are copied together to where they may go past the cache from. */
class Gathered {
  readonly #file: LargeFile
  #position: number
  /** One is filled while the other is being written. */
  #piece: Buffer
  #other: Buffer
  #filled = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(file: LargeFile, position: number) {
    this.#file = file
    this.#position = position
    const memory = alignedMemory(2 * PIECE_BYTES)
    this.#piece = memory.subarray(0, PIECE_BYTES)
    this.#other = memory.subarray(PIECE_BYTES)
  }

  async add(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const size = bytes.copy(this.#piece, this.#filled, done)
      this.#filled += size
      done += size
      if (this.#filled === PIECE_BYTES) await this.flush()
    }
  }

  /** Begins to write what is there, when what was there before is written. */
  async flush(): Promise<void> {
    await this.#writing
    const [full, position] = [this.#piece.subarray(0, this.#filled), this.#position]
    this.#writing = this.#file.writeDirect(full, position)
    // Somebody may look at it late.
    this.#writing.catch(() => {})
    this.#position += this.#filled
    this.#filled = 0
    const written = this.#piece
    this.#piece = this.#other
    this.#other = written
  }

  async end(): Promise<void> {
    await this.#writing
  }

  async close(): Promise<void> {
    await this.#writing
    const left = this.#piece.subarray(0, this.#filled)
    this.#filled = 0
    if (left.length > 0) await this.#file.write(left, this.#position)
  }
}

/** Memory that begins at a page, which Node's own doesn't. */
function alignedMemory(bytes: number): Buffer {
  const pages = bytes / PAGE_BYTES
  return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: false }).buffer)
}
