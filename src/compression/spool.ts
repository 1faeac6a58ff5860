import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { chunksOf } from '../content/chunks.js'
import { Digester } from '../content/digest.js'
import type { SpooledBytes } from '../content/spooled-file.js'
import { explainDiskError } from '../files/disk-error.js'
import { TemporaryFolder } from '../files/temporary-folder.js'

/**
 * Holds what was compressed on the way, in files that only this user can read. Every file goes when the
 * spool is disposed.
 */
export class Spool implements AsyncDisposable {
  readonly #parent: string | undefined
  #folder: Promise<TemporaryFolder> | undefined
  #count = 0
  readonly #adding = new Set<Promise<SpooledBytes>>()

  /** @param parent where the spool's folder is made, when the first file comes; the system's temporary folder if not given */
  constructor(parent?: string) {
    this.#parent = parent
  }

  /**
   * Writes a stream to a new file.
   *
   * @throws what the stream or the disk throws; the file is removed with the spool
   */
  async add(content: Readable, signal: AbortSignal): Promise<SpooledBytes> {
    return await this.#add(async (path, digester) => {
      const output = createWriteStream(path, { flags: 'wx', mode: 0o600 })
      await pipeline(content, hashing(digester), output, { signal })
    })
  }

  /**
   * Writes pieces to a new file, each of them before the next one is asked for.
   *
   * @throws as {@link add}
   */
  async addPieces(pieces: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<SpooledBytes> {
    return await this.#add(async (path, digester) => {
      await using file = await open(path, 'wx', 0o600)
      for await (const piece of pieces) {
        signal.throwIfAborted()
        const written = file.appendFile(piece)
        digester.update(piece)
        await written
      }
    })
  }

  async #add(write: (path: string, digester: Digester) => Promise<void>): Promise<SpooledBytes> {
    const added = this.#write(write)
    this.#adding.add(added)
    try {
      return await added
    } finally {
      this.#adding.delete(added)
    }
  }

  async #write(write: (path: string, digester: Digester) => Promise<void>): Promise<SpooledBytes> {
    this.#folder ??= TemporaryFolder.create('regctl-spool', this.#parent)
    const path = join((await this.#folder).path, `${this.#count++}`)
    const digester = new Digester()
    try {
      await write(path, digester)
    } catch (error) {
      throw explainDiskError(error, path)
    }
    return {
      digest: digester.digest(),
      size: digester.size,
      open: async (from = 0) => createReadStream(path, { start: from, highWaterMark: 256 * 1024 }),
      chunksFrom: from => fileChunks(path, digester.size, from),
    }
  }

  /** Waits for what is still being written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#adding)
    await (await this.#folder?.catch(() => undefined))?.[Symbol.asyncDispose]()
  }
}

async function* fileChunks(path: string, size: number, from = 0): AsyncGenerator<Buffer> {
  await using file = await open(path)
  yield* chunksOf({ size, readInto: (into, offset) => readInto(file, into, offset) }, from)
}

async function readInto(file: FileHandle, into: Uint8Array, offset: number): Promise<void> {
  for (let filled = 0; filled < into.length; ) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, offset + filled)
    if (bytesRead === 0) throw new Error('a temporary file became shorter while it was read')
    filled += bytesRead
  }
}

/** Passes bytes on, hashing them; `tell` gets the count of bytes after each chunk. */
export function hashing(digester: Digester, tell: (offset: number) => void = () => {}): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      digester.update(chunk)
      tell(digester.size)
      done(null, chunk)
    },
  })
}
