import { availableParallelism } from 'node:os'
import { crc32 } from 'node:zlib'
import { AskedThread } from '../content/asked-thread.js'
import { CompressionError } from './compression-error.js'
import { type BlockRoom, bytesOf, type DeflateBlock } from './deflate-block.js'
import { DEFLATE_THREAD, DeflateRoom, deflateModule } from './deflater.js'
import { RoomPool, type RoomUser } from './room-pool.js'

/** What became of a block. */
export interface CompressedBlock {
  /** Its part of the deflate stream; it may lie in the block's room. */
  bytes: Uint8Array
  /** CRC-32 of the block, without its dictionary. */
  checksum: number
}

/** Compresses the blocks of one stream. */
export interface BlockCompressor<Room extends BlockRoom> {
  /** Where blocks are read into; a room is given back when what came of its block is not needed any more. */
  readonly rooms: RoomUser<Room>
  compress(block: DeflateBlock<Room>): Promise<CompressedBlock>
  /** Called once, at the end. What is still on its way may never come. */
  close(): void
}

/** So many threads are as fast as one thread can read and hash for them. */
const MOST_THREADS = 8
/** Beside the blocks that are being compressed, some are being read, waiting, and being written. */
const MORE_ROOMS = 4

/**
 * Threads that compress, one for each core, started as they are needed. All streams of the process share them, and they end
 * with the last of these.
 */
export class DeflateThreads {
  static #shared: DeflateThreads | undefined
  #users = 0
  readonly #threads: DeflateThread[] = []
  readonly #most = Math.min(availableParallelism(), MOST_THREADS)
  readonly #rooms = new RoomPool(() => new DeflateRoom(), this.#most + MORE_ROOMS)

  /** The threads of the process, for one more stream. */
  static use(): BlockCompressor<DeflateRoom> {
    DeflateThreads.#shared ??= new DeflateThreads()
    return DeflateThreads.#shared.#join()
  }

  /** Keeps the threads from one stream to the next one, which would start them again. */
  static keep(): Disposable {
    const { close } = DeflateThreads.use()
    return { [Symbol.dispose]: close }
  }

  #join(): BlockCompressor<DeflateRoom> {
    this.#users++
    const rooms = this.#rooms.join()
    return {
      rooms,
      compress: block => this.#compress(block),
      close: () => {
        rooms.close()
        this.#leave()
      },
    }
  }

  async #compress(block: DeflateBlock<DeflateRoom>): Promise<CompressedBlock> {
    // What is alone is done before a thread would have started.
    if (block.isLast && block.dictionarySize === 0)
      return { bytes: block.room.compress(block), checksum: crc32(bytesOf(block)) }
    return await this.#idlest().compress(block)
  }

  #leave(): void {
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

/** What {@link DEFLATE_THREAD} answers each block with. */
interface ThreadAnswer {
  length: number
  checksum: number
}

/** What {@link DEFLATE_THREAD} is asked. */
interface ThreadQuestion extends Omit<DeflateBlock<DeflateRoom>, 'room'> {
  /** Of the room. */
  id: number
  /** That of a room which it has not seen. */
  memory: WebAssembly.Memory | undefined
}

class DeflateThread {
  readonly #thread = new AskedThread<ThreadQuestion, ThreadAnswer>(DEFLATE_THREAD, explain, deflateModule())
  /** The rooms it has seen, with the numbers that it knows them by. */
  readonly #known = new Map<DeflateRoom, number>()

  /** How many blocks it has. */
  get load(): number {
    return this.#thread.load
  }

  async compress({ room, ...block }: DeflateBlock<DeflateRoom>): Promise<CompressedBlock> {
    const id = this.#known.get(room) ?? this.#known.size
    const memory = this.#known.has(room) ? undefined : room.memory
    this.#known.set(room, id)
    const { length, checksum } = await this.#thread.ask({ ...block, id, memory })
    return { bytes: room.output(length), checksum }
  }

  end(): void {
    this.#thread.end()
  }
}

function explain(cause: unknown): CompressionError {
  return new CompressionError('a thread that compresses ended early', {
    kind: 'failed',
    code: 'compressor-failed',
    cause,
  })
}
