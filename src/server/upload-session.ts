import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { algorithmOf, type Digest, type DigestAlgorithm, Digester } from '../content/digest.js'
import { RegistryError } from './errors.js'

/** The name of an upload's file: its id, and what its repository's name hashes to. */
const FILE_NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9a-f]{32})$/

/**
 * One upload. All that there is to know of it is its file: the name says which upload it is and of which repository, the
 * size how far it is. So what a broken request had sent stays, and the next server that is started on the folder goes on
 * from there. Work on it is done one piece after another, so the file and the offset always agree.
 */
export class UploadSession {
  /** Its name in URLs; can't be guessed. */
  readonly id: string
  /** Where its bytes are. */
  readonly path: string
  readonly #repositoryHash: string
  /** Has hashed all bytes as they came; undefined for an upload of an earlier server. */
  readonly #digester: Digester | undefined
  readonly #algorithm: DigestAlgorithm | undefined
  #size: number
  #queue: Promise<unknown> = Promise.resolve()
  #receiving: { cut: () => void; lastMs: number } | undefined
  #isClosed = false

  private constructor(
    file: { id: string; path: string; repositoryHash: string; size: number },
    algorithm: DigestAlgorithm | undefined,
  ) {
    this.id = file.id
    this.path = file.path
    this.#repositoryHash = file.repositoryHash
    this.#size = file.size
    this.#algorithm = algorithm
    this.#digester = algorithm === undefined ? undefined : new Digester(algorithm)
  }

  /** Starts an upload with a file in `folder`. `algorithm` is the one that the final digest is expected to have. */
  static async create(
    repository: string,
    folder: string,
    algorithm: DigestAlgorithm,
  ): Promise<UploadSession> {
    const [id, repositoryHash] = [randomUUID(), hashOf(repository)]
    const path = join(folder, `${id}.${repositoryHash}`)
    await (await open(path, 'wx', 0o600)).close()
    return new UploadSession({ id, path, repositoryHash, size: 0 }, algorithm)
  }

  /**
   * Takes up an upload of an earlier server.
   *
   * @returns undefined when the file is none of an upload, or has just gone
   */
  static async restore(
    folder: string,
    name: string,
  ): Promise<{ session: UploadSession; lastMs: number } | undefined> {
    const [, id, repositoryHash] = FILE_NAME.exec(name) ?? []
    if (id === undefined || repositoryHash === undefined) return undefined
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found === undefined || !found.isFile()) return undefined
    const session = new UploadSession({ id, path, repositoryHash, size: found.size }, undefined)
    return { session, lastMs: found.mtimeMs }
  }

  /** How many bytes are there. */
  get size(): number {
    return this.#size
  }

  /** Whether it was started for this repository. */
  isOf(repository: string): boolean {
    return hashOf(repository) === this.#repositoryHash
  }

  /**
   * Runs `work` when nothing else works on the upload. A client that comes back after a broken connection may be here
   * before the old one is known to be dead: after `patienceMs` a request that sent nothing for as long is cut off.
   *
   * @throws RegistryError 409 when the other request is alive
   */
  async exclusive<T>(patienceMs: number, work: () => Promise<T>): Promise<T> {
    const previous = this.#queue
    const done = this.#after(previous, patienceMs).then(work)
    this.#queue = Promise.allSettled([previous, done])
    return done
  }

  /**
   * Adds bytes at the end. When `body` fails, what came before stays.
   *
   * @param cut makes `body` fail at once
   * @throws the system's error (`ENOSPC`) when they can't be written
   */
  async append(body: AsyncIterable<Buffer>, cut: () => void): Promise<void> {
    this.#checkOpen()
    // Open only while bytes come, so that uploads that were left behind take no file descriptors.
    const file = await open(this.path, 'r+')
    this.#receiving = { cut, lastMs: Date.now() }
    try {
      for await (const chunk of body) {
        this.#checkOpen()
        await this.#write(file, chunk)
        this.#receiving.lastMs = Date.now()
      }
    } finally {
      this.#receiving = undefined
      await file.close()
    }
  }

  /** A disk that is nearly full takes a part of the bytes first, and fails then. */
  async #write(file: FileHandle, chunk: Buffer): Promise<void> {
    for (let left = chunk; left.length > 0; ) {
      const { bytesWritten } = await file.write(left, 0, left.length, this.#size)
      this.#digester?.update(left.subarray(0, bytesWritten))
      this.#size += bytesWritten
      left = left.subarray(bytesWritten)
    }
  }

  /**
   * The digest of all bytes, by the algorithm of `expected`. The file is read again when they were not hashed by that
   * one as they came. Called once.
   */
  async digest(expected: Digest): Promise<Digest> {
    this.#checkOpen()
    if (algorithmOf(expected) === this.#algorithm && this.#digester !== undefined)
      return this.#digester.digest()
    const digester = new Digester(algorithmOf(expected))
    for await (const chunk of this.open(0) as AsyncIterable<Buffer>) digester.update(chunk)
    return digester.digest()
  }

  /** Reads the bytes back. */
  open(from: number): Readable {
    return createReadStream(this.path, { start: from })
  }

  /** Ends the upload and removes its file. Does nothing the second time. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await rm(this.path, { force: true })
  }

  async #after(previous: Promise<unknown>, patienceMs: number): Promise<void> {
    if (await settlesWithin(previous, patienceMs)) return
    const isIdle = this.#receiving !== undefined && Date.now() - this.#receiving.lastMs >= patienceMs
    if (!isIdle) {
      throw new RegistryError('BLOB_UPLOAD_INVALID', 'another request is writing to this upload', {
        status: 409,
      })
    }
    this.#receiving?.cut()
    await previous
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new RegistryError('BLOB_UPLOAD_UNKNOWN', `the upload ${this.id} has ended`)
  }
}

/** Repositories' names can be longer than those of files, and have slashes. */
function hashOf(repository: string): string {
  return createHash('sha256').update(repository).digest('hex').slice(0, 32)
}

async function settlesWithin(work: Promise<unknown>, patienceMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<boolean>(resolve => {
    timer = setTimeout(() => resolve(false), patienceMs)
  })
  try {
    return await Promise.race([work.then(() => true), patience])
  } finally {
    clearTimeout(timer)
  }
}
