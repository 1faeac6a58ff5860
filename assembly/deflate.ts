// The compressor for layers: deflate (RFC 1951) with a fast greedy search and codes of its own for each block.
//
// Its output is a function of its input alone: nothing in it depends on the machine, the runtime or an earlier call.
// Compiled to WebAssembly by scripts/deflate.js.

import { align, output, put, putStored, restart } from './bit-writer'
import { writeBlock } from './block'
import { findSequences, startMatching } from './match-finder'
import { BLOCK_SIZE, INPUT, OUTPUT, prepareMemory, WINDOW_SIZE } from './memory-map'

prepareMemory()

/** Where the input goes: the dictionary ends here and the bytes to compress begin. */
export const inputPlace: usize = INPUT
/** Where the output is after a call. */
export const outputPlace: usize = OUTPUT
/** The most bytes of input, and of dictionary, that a call takes. */
export const mostInput: usize = BLOCK_SIZE
export const mostDictionary: usize = WINDOW_SIZE

/**
 * Compresses a part of a stream. The parts, one after another, are the deflate stream: all but the last end on a byte
 * boundary, with an empty stored block.
 *
 * @param dictionarySize bytes right before the input that decompression has already when it comes here
 * @param size bytes of input
 * @param isLast whether the stream ends here
 * @returns bytes of output
 */
export function compress(dictionarySize: usize, size: usize, isLast: boolean): usize {
  restart()
  startMatching(dictionarySize, size)
  const end = INPUT + size
  for (let start = INPUT; start < end; ) {
    const blockEnd = findSequences(start)
    writeBlock(start, blockEnd, isLast && blockEnd === end)
    start = blockEnd
  }
  if (!isLast) putStored(end, 0, false)
  // A block with fixed codes that has nothing but its end.
  else if (size === 0) put(3, 10)
  align()
  return output - OUTPUT
}
