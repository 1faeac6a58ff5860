import { type DeflateBlock, type DeflatedBlock, DICTIONARY_SIZE } from './deflate-block.js'
import { DEFLATE_MODULE } from './deflate-module.js'

/** What assembly/deflate.ts exports. */
interface DeflateExports {
  memory: { buffer: ArrayBuffer }
  inputPlace: { value: number }
  outputPlace: { value: number }
  compress(dictionarySize: number, size: number, isLast: number): number
}

let compiled: WebAssembly.Module | undefined

/** The compressor, compiled once. Threads can have the same. */
export function deflateModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Buffer.from(DEFLATE_MODULE, 'base64'))
  return compiled
}

/** Compresses blocks in this thread, at about 200 MB/s. */
export class Deflater {
  readonly #exports = new WebAssembly.Instance(deflateModule()).exports as DeflateExports

  /** The block's part of the deflate stream. The same block gives the same bytes, everywhere. */
  compress({ buffer, dictionarySize, size, isLast }: DeflateBlock): DeflatedBlock & { compressed: Buffer } {
    const { memory, inputPlace, outputPlace, compress } = this.#exports
    const bytes = new Uint8Array(buffer, DICTIONARY_SIZE - dictionarySize, dictionarySize + size)
    new Uint8Array(memory.buffer).set(bytes, inputPlace.value - dictionarySize)
    const length = compress(dictionarySize, size, isLast ? 1 : 0)
    return { compressed: Buffer.from(new Uint8Array(memory.buffer, outputPlace.value, length)), buffer }
  }
}

/**
 * The program of a thread that does the same: it answers each block with its buffer, in which the result is, and the result's
 * length. As a text, since a file of its own would have to be found again in whatever form the program is packed.
 */
export const DEFLATE_THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const { memory, inputPlace, outputPlace, compress } = new WebAssembly.Instance(workerData).exports
parentPort.on('message', ({ buffer, dictionarySize, size, isLast }) => {
  const bytes = new Uint8Array(buffer, ${DICTIONARY_SIZE} - dictionarySize, dictionarySize + size)
  new Uint8Array(memory.buffer).set(bytes, inputPlace.value - dictionarySize)
  const length = compress(dictionarySize, size, isLast ? 1 : 0)
  new Uint8Array(buffer).set(new Uint8Array(memory.buffer, outputPlace.value, length))
  parentPort.postMessage({ buffer, length }, [buffer])
})`
