import { BLOCK_SIZE, type BlockRoom, type DeflateBlock, DICTIONARY_SIZE } from './deflate-block.js'
import { DEFLATE_MODULE, DEFLATE_PAGES } from './deflate-module.js'
import { makeSharedMemory } from './shared-memory.js'

/** What assembly/deflate.ts exports. */
interface DeflateExports {
  inputPlace: { value: number }
  outputPlace: { value: number }
  compress(dictionarySize: number, size: number, isLast: number): number
}

/** A third of the share that other threads get on a busy machine. */
const NICENESS = 5

let compiled: WebAssembly.Module | undefined

/** The compressor, compiled once. Threads can have the same. */
export function deflateModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Buffer.from(DEFLATE_MODULE, 'base64'))
  return compiled
}

/**
 * The compressor's memory: a block is read into it, compressed there by whichever thread, and what comes of it is taken
 * from there.
 */
export class DeflateRoom implements BlockRoom {
  readonly memory = makeSharedMemory(DEFLATE_PAGES)
  readonly #exports = instanceOf(this.memory)
  readonly input = new Uint8Array(
    this.memory.buffer,
    this.#exports.inputPlace.value - DICTIONARY_SIZE,
    DICTIONARY_SIZE + BLOCK_SIZE,
  )

  /** Compresses the block in this thread, at about 300 MB/s. Its part of the deflate stream is {@link output}. */
  compress({ dictionarySize, size, isLast }: Omit<DeflateBlock, 'room'>): Buffer {
    return this.output(this.#exports.compress(dictionarySize, size, isLast ? 1 : 0))
  }

  /** What was made of the block, until the room is used for the next one. The same block gives the same bytes, everywhere. */
  output(length: number): Buffer {
    return Buffer.from(this.memory.buffer, this.#exports.outputPlace.value, length)
  }
}

function instanceOf(memory: WebAssembly.Memory): DeflateExports {
  return new WebAssembly.Instance(deflateModule(), { env: { memory } }).exports as DeflateExports
}

/**
 * The program of a thread that does the same: it answers each block with the length of what it made of it, and with the
 * CRC-32 of the block, since the thread that reads has enough to do. A room's memory
 * comes with its first block, later ones name it. On Linux, where a priority is a thread's own, it gives way to the thread that
 * hashes and sends, and to a registry on the same machine, so that little is left to be sent at the end.
 *
 * As a text, since a file of its own would have to be found again in whatever form the program is packed.
 */
export const DEFLATE_THREAD = `
const { getPriority, setPriority } = require('node:os')
const { parentPort, workerData } = require('node:worker_threads')
const { crc32 } = require('node:zlib')
if (process.platform === 'linux') {
  try {
    setPriority(0, Math.min(getPriority(0) + ${NICENESS}, 19))
  } catch {
    // Where that is forbidden it compresses all the same.
  }
}
const rooms = new Map()
const roomOf = memory => {
  const { compress, inputPlace } = new WebAssembly.Instance(workerData, { env: { memory } }).exports
  return { compress, input: new Uint8Array(memory.buffer, inputPlace.value, ${BLOCK_SIZE}) }
}
parentPort.on('message', ({ id, memory, dictionarySize, size, isLast }) => {
  if (memory !== undefined) rooms.set(id, roomOf(memory))
  const { compress, input } = rooms.get(id)
  const checksum = crc32(input.subarray(0, size))
  parentPort.postMessage({ length: compress(dictionarySize, size, isLast ? 1 : 0), checksum })
})`
