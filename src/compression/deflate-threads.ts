import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { CompressionError } from './compression-error.js'
import type { DeflateBlock, DeflatedBlock } from './deflate-block.js'
import { DEFLATE_THREAD, Deflater, deflateModule } from './deflater.js'

/** Compresses blocks. */
export interface BlockCompressor {
  /** @param block its buffer must not be used until the result gives it back */
  compress(block: DeflateBlock): Promise<DeflatedBlock>
  /** Whoever has it calls this once, and doesn't use it any more. What is still on its way may never come. */
  close(): void
}

/**
 * Threads that compress, one for each core, started as they are needed. All streams of the process share them, and they end
 * with the last of these.
 */
export class DeflateThreads implements BlockCompressor {
  static #shared: DeflateThreads | undefined
  #users = 0
  readonly #threads: DeflateThread[] = []
  readonly #most = availableParallelism()
  #own: Deflater | undefined

  /** The threads of the process, for one more user. */
  static use(): BlockCompressor {
    DeflateThreads.#shared ??= new DeflateThreads()
    DeflateThreads.#shared.#users++
    return DeflateThreads.#shared
  }

  async compress(block: DeflateBlock): Promise<DeflatedBlock> {
    // What is alone is done before a thread would have started.
    if (block.isLast && block.dictionarySize === 0) {
      this.#own ??= new Deflater()
      return this.#own.compress(block)
    }
    return await this.#idlest().compress(block)
  }

  close(): void {
    this.#users--
    if (this.#users > 0) return
    if (DeflateThreads.#shared === this) DeflateThreads.#shared = undefined
    for (const thread of this.#threads) thread.end()
  }

  #idlest(): DeflateThread {
    const idlest = this.#threads.reduce<DeflateThread | undefined>(
      (one, other) => (one === undefined || other.load < one.load ? other : one),
      undefined,
    )
    if (idlest !== undefined && (idlest.load === 0 || this.#threads.length >= this.#most)) return idlest
    const thread = new DeflateThread()
    this.#threads.push(thread)
    return thread
  }
}

class DeflateThread {
  readonly #worker = new Worker(DEFLATE_THREAD, { eval: true, workerData: deflateModule(), execArgv: [] })
  /** Who waits for a result; results come in the order of the blocks. */
  readonly #waiting: PromiseWithResolvers<DeflatedBlock>[] = []
  #failure: CompressionError | undefined

  constructor() {
    this.#worker.on('message', ({ buffer, length }: { buffer: ArrayBuffer; length: number }) => {
      this.#waiting.shift()?.resolve({ compressed: new Uint8Array(buffer, 0, length), buffer })
      if (this.#waiting.length === 0) this.#worker.unref()
    })
    this.#worker.on('error', cause => this.#fail(cause))
    this.#worker.on('exit', () => this.#fail(undefined))
    this.#worker.unref()
  }

  /** How many blocks it has. */
  get load(): number {
    return this.#waiting.length
  }

  async compress(block: DeflateBlock): Promise<DeflatedBlock> {
    if (this.#failure !== undefined) throw this.#failure
    const result = resolvers<DeflatedBlock>()
    this.#waiting.push(result)
    // A thread that has nothing to do must not keep the process; one that has must.
    this.#worker.ref()
    this.#worker.postMessage(block, [block.buffer])
    return await result.promise
  }

  end(): void {
    this.#worker.terminate()
  }

  #fail(cause: unknown): void {
    this.#failure ??= new CompressionError('a thread that compresses ended early', {
      kind: 'failed',
      code: 'compressor-failed',
      cause,
    })
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
  }
}

interface PromiseWithResolvers<T> {
  promise: Promise<T>
  resolve(value: T): void
  reject(reason: unknown): void
}

/** `Promise.withResolvers`, which Node has from 22 on. */
function resolvers<T>(): PromiseWithResolvers<T> {
  let settle: Pick<PromiseWithResolvers<T>, 'resolve' | 'reject'> | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, ...(settle as Pick<PromiseWithResolvers<T>, 'resolve' | 'reject'>) }
}
