import { availableParallelism } from 'node:os'
import { AskedThread } from './asked-thread.js'
import { ContentError } from './content-error.js'
import type { Digest, DigestAlgorithm } from './digest.js'

/** What one thread receives does not keep more of them busy. */
const MOST_THREADS = 3
/** How long a thread waits for more to do. */
const IDLE_MS = 1000

/** The program of the thread. */
const HASH_THREAD = `
const { createHash } = require('node:crypto')
const { parentPort } = require('node:worker_threads')
const hashes = new Map()
parentPort.on('message', ({ id, algorithm, bytes }) => {
  const hash = hashes.get(id) ?? createHash(algorithm)
  hashes.set(id, hash)
  if (bytes !== undefined) hash.update(bytes)
  else hashes.delete(id)
  parentPort.postMessage(bytes === undefined ? hash.digest('hex') : '')
})`

/** More bytes of one of its digests, or none at its end. */
interface Question {
  id: number
  algorithm: DigestAlgorithm
  bytes?: Uint8Array
}

const threads = new Set<HashThread>()

/** A thread that hashes, so that whoever receives bytes goes on meanwhile. */
export class HashThread implements Disposable {
  readonly #thread = new AskedThread<Question, string>(HASH_THREAD, cause => {
    threads.delete(this)
    return new ContentError('a thread that hashes ended early', {
      kind: 'failed',
      code: 'hash-failed',
      cause,
    })
  })
  #users = 0
  #begun = 0

  /**
   * That of the process which has fewest users, or one more while there are cores. To begin takes it some 30 ms. Whoever disposes
   * of it has no more to hash.
   *
   * @returns undefined where there is but one core
   */
  static take(): HashThread | undefined {
    const most = Math.min(availableParallelism() - 1, MOST_THREADS)
    if (most < 1) return undefined
    let [taken] = [...threads].sort((one, other) => one.#users - other.#users)
    if (taken === undefined || (taken.#users > 0 && threads.size < most)) taken = new HashThread()
    threads.add(taken)
    taken.#users++
    return taken
  }

  private constructor() {}

  digester(algorithm: DigestAlgorithm): ThreadDigester {
    const id = this.#begun++
    return new ThreadDigester(algorithm, bytes =>
      this.#thread.ask({ id, algorithm, ...(bytes !== undefined && { bytes }) }),
    )
  }

  [Symbol.dispose](): void {
    this.#users--
    const end = () => {
      if (this.#users > 0) return
      // Nobody gets it any more, although it takes a moment to end.
      threads.delete(this)
      this.#thread.end()
    }
    setTimeout(end, IDLE_MS).unref()
  }
}

/** As a `Digester`, in a thread. */
export class ThreadDigester {
  readonly #algorithm: DigestAlgorithm
  readonly #ask: (bytes?: Uint8Array) => Promise<string>
  #room: Uint8Array = new Uint8Array()
  /** How many bytes it was given. */
  size = 0

  constructor(algorithm: DigestAlgorithm, ask: (bytes?: Uint8Array) => Promise<string>) {
    this.#algorithm = algorithm
    this.#ask = ask
  }

  /**
   * Is given more bytes, one call at a time. They must stay as they are until it resolves.
   *
   * @throws ContentError `hash-failed`
   */
  async update(bytes: Uint8Array): Promise<void> {
    this.size += bytes.length
    await this.#ask(bytes.buffer instanceof SharedArrayBuffer ? bytes : this.#copied(bytes))
  }

  /** The bytes in memory that the thread can read. It would get a copy of its own else, of all that they are a part of. */
  #copied(bytes: Uint8Array): Uint8Array {
    if (this.#room.length < bytes.length) this.#room = new Uint8Array(new SharedArrayBuffer(bytes.length))
    this.#room.set(bytes)
    return this.#room.subarray(0, bytes.length)
  }

  /** The digest of everything so far. Called once, at the end. @throws ContentError `hash-failed` */
  async digest(): Promise<Digest> {
    return `${this.#algorithm}:${await this.#ask()}` as Digest
  }
}
