import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { algorithmOf, type Digest, type DigestAlgorithm, Digester } from '../content/digest.js'
import { RegistryError } from './errors.js'

/**
 * One upload: its bytes lie in a temporary file and are hashed as they come. Work on it is done one piece after
 * another, so the file and the offset always agree; what a broken request had sent stays, and the client goes on from there.
 */
export class UploadSession {
  /** Its name in URLs; can't be guessed. */
  readonly id = randomUUID()
  readonly #path: string
  readonly #algorithm: DigestAlgorithm
  readonly #digester: Digester
  #queue: Promise<unknown> = Promise.resolve()
  #receiving: { cut: () => void; lastMs: number } | undefined
  #isClosed = false

  private constructor(
    /** The repository that it belongs to. */
    readonly repository: string,
    path: string,
    algorithm: DigestAlgorithm,
  ) {
    this.#path = path
    this.#algorithm = algorithm
    this.#digester = new Digester(algorithm)
  }

  /** Starts an upload with a file in `folder`. `algorithm` is the one that the final digest is expected to have. */
  static async create(
    repository: string,
    folder: string,
    algorithm: DigestAlgorithm,
  ): Promise<UploadSession> {
    const path = join(folder, randomUUID())
    await (await open(path, 'wx', 0o600)).close()
    return new UploadSession(repository, path, algorithm)
  }

  /** How many bytes are there. */
  get size(): number {
    return this.#digester.size
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
   */
  async append(body: AsyncIterable<Buffer>, cut: () => void): Promise<void> {
    this.#checkOpen()
    // Open only while bytes come, so that uploads that were left behind take no file descriptors.
    const file = await open(this.#path, 'r+')
    this.#receiving = { cut, lastMs: Date.now() }
    try {
      for await (const chunk of body) {
        this.#checkOpen()
        await file.write(chunk, 0, chunk.length, this.size)
        this.#digester.update(chunk)
        this.#receiving.lastMs = Date.now()
      }
    } finally {
      this.#receiving = undefined
      await file.close()
    }
  }

  /**
   * The digest of all bytes, by the algorithm of `expected`. The file is read again when that is not the one by which
   * they were hashed as they came. Called once.
   */
  async digest(expected: Digest): Promise<Digest> {
    this.#checkOpen()
    if (algorithmOf(expected) === this.#algorithm) return this.#digester.digest()
    const digester = new Digester(algorithmOf(expected))
    for await (const chunk of this.open(0) as AsyncIterable<Buffer>) digester.update(chunk)
    return digester.digest()
  }

  /** Reads the bytes back. */
  open(from: number): Readable {
    return createReadStream(this.#path, { start: from })
  }

  /** Ends the upload and removes its file. Does nothing the second time. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await rm(this.#path, { force: true })
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
