import type { Readable } from 'node:stream'
import type { RandomAccess } from '../content/random-access.js'

/** A stream is cut into blocks of this many bytes, counted from its start, whatever chunks it comes in. */
export const BLOCK_SIZE = 1024 * 1024
/** How far back deflate can refer (RFC 1951, 2). */
export const DICTIONARY_SIZE = 32 * 1024

/** A part of a stream, with what was before it. */
export interface DeflateBlock {
  /** The bytes begin at {@link DICTIONARY_SIZE}, and the dictionary ends there. The result can take the same place. */
  buffer: ArrayBuffer
  dictionarySize: number
  size: number
  isLast: boolean
}

/** What came of a block. */
export interface DeflatedBlock {
  /** May lie in the buffer. */
  compressed: Uint8Array
  /** The block's buffer, for another one when the result is not needed any more. */
  buffer: ArrayBuffer
}

/** The bytes of a block, without its dictionary. */
export function bytesOf({ buffer, size }: DeflateBlock): Buffer {
  return Buffer.from(buffer, DICTIONARY_SIZE, size)
}

/** What the decompressor has already when it comes to a block. */
export function dictionaryOf({ buffer, dictionarySize }: DeflateBlock): Buffer {
  return Buffer.from(buffer, DICTIONARY_SIZE - dictionarySize, dictionarySize)
}

/** Buffers for blocks, each used again and again: new memory costs more than to fill it. */
export class BlockBuffers {
  readonly #free: ArrayBuffer[] = []

  take(): ArrayBuffer {
    return this.#free.pop() ?? new ArrayBuffer(DICTIONARY_SIZE + BLOCK_SIZE)
  }

  give(buffer: ArrayBuffer): void {
    this.#free.push(buffer)
  }
}

/**
 * Cuts a stream into blocks. All but the last are full; an empty stream is one empty block. A full block is held back until
 * it is known whether anything follows; its buffer is the taker's.
 */
export async function* blocksOf(input: Readable, buffers: BlockBuffers): AsyncGenerator<DeflateBlock> {
  let block: DeflateBlock = { buffer: buffers.take(), dictionarySize: 0, size: 0, isLast: false }
  let room = new Uint8Array(block.buffer, DICTIONARY_SIZE)
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let taken = 0
    while (taken < chunk.length) {
      if (block.size === BLOCK_SIZE) {
        const next = { buffer: buffers.take(), dictionarySize: DICTIONARY_SIZE, size: 0, isLast: false }
        new Uint8Array(next.buffer).set(room.subarray(BLOCK_SIZE - DICTIONARY_SIZE))
        yield block
        block = next
        room = new Uint8Array(block.buffer, DICTIONARY_SIZE)
      }
      const part = chunk.subarray(taken, taken + BLOCK_SIZE - block.size)
      room.set(part, block.size)
      taken += part.length
      block.size += part.length
    }
  }
  yield { ...block, isLast: true }
}

/** As {@link blocksOf}, read straight into the blocks: no byte is copied on the way. */
export async function* blocksAt(input: RandomAccess, buffers: BlockBuffers): AsyncGenerator<DeflateBlock> {
  for (let start = 0; start === 0 || start < input.size; start += BLOCK_SIZE) {
    const size = Math.min(BLOCK_SIZE, input.size - start)
    const dictionarySize = Math.min(DICTIONARY_SIZE, start)
    const buffer = buffers.take()
    const room = new Uint8Array(buffer, DICTIONARY_SIZE - dictionarySize, dictionarySize + size)
    // The dictionary is read again: the block before has gone to another thread with it.
    await input.readInto(room, start - dictionarySize)
    yield { buffer, dictionarySize, size, isLast: start + size === input.size }
  }
}
