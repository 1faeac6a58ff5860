/** A stream is cut into blocks of this many bytes, counted from its start, whatever chunks it comes in. */
export const BLOCK_SIZE = 1024 * 1024
/** How far back deflate can refer (RFC 1951, 2). */
export const DICTIONARY_SIZE = 32 * 1024

/** Memory for one block, used for one after another: new memory costs more than to fill it. */
export interface BlockRoom {
  /** The block's bytes begin at {@link DICTIONARY_SIZE}, and the dictionary ends there. */
  readonly input: Uint8Array
}

/** A part of a stream, with what was before it. */
export interface DeflateBlock<Room extends BlockRoom = BlockRoom> {
  room: Room
  dictionarySize: number
  size: number
  isLast: boolean
}

/** Bytes that are asked for in their order, each once. What can be read anywhere will do. */
export interface OrderedAccess {
  /** In bytes. */
  readonly size: number
  /**
   * Fills `into` with the bytes from an offset on.
   *
   * @param seen may be given the bytes from the first one on, piece by piece, as they come
   */
  readInto(into: Uint8Array, offset: number, seen: (bytes: Uint8Array) => void): Promise<void>
}

/** The bytes of a block, without its dictionary. */
export function bytesOf({ room, size }: DeflateBlock): Uint8Array {
  return room.input.subarray(DICTIONARY_SIZE, DICTIONARY_SIZE + size)
}

/** What the decompressor has already when it comes to a block. */
export function dictionaryOf({ room, dictionarySize }: DeflateBlock): Uint8Array {
  return room.input.subarray(DICTIONARY_SIZE - dictionarySize, DICTIONARY_SIZE)
}

/**
 * Cuts a stream into blocks. All but the last are full; an empty stream is one empty block. A full block is held back until
 * it is known whether anything follows, while the next one's room is taken.
 *
 * @param take gives a room, which the taker of the block gives back
 * @param see is given all bytes in their order, each before its block is
 */
export async function* blocksOf<Room extends BlockRoom>(
  input: AsyncIterable<Uint8Array>,
  take: () => Promise<Room>,
  see: (bytes: Uint8Array) => void,
): AsyncGenerator<DeflateBlock<Room>> {
  let block = { room: await take(), dictionarySize: 0, size: 0, isLast: false }
  for await (const chunk of input) {
    let taken = 0
    while (taken < chunk.length) {
      if (block.size === BLOCK_SIZE) {
        const room = await take()
        room.input.set(block.room.input.subarray(BLOCK_SIZE))
        yield block
        block = { room, dictionarySize: DICTIONARY_SIZE, size: 0, isLast: false }
      }
      const part = chunk.subarray(taken, taken + BLOCK_SIZE - block.size)
      block.room.input.set(part, DICTIONARY_SIZE + block.size)
      see(part)
      taken += part.length
      block.size += part.length
    }
  }
  yield { ...block, isLast: true }
}

/** As {@link blocksOf}, read straight into the blocks, all bytes once and in their order. */
export async function* blocksAt<Room extends BlockRoom>(
  input: OrderedAccess,
  take: () => Promise<Room>,
  see: (bytes: Uint8Array) => void,
): AsyncGenerator<DeflateBlock<Room>> {
  // The room of the block before may have been given back when it is wanted.
  const dictionary = new Uint8Array(DICTIONARY_SIZE)
  for (let start = 0; start === 0 || start < input.size; start += BLOCK_SIZE) {
    const size = Math.min(BLOCK_SIZE, input.size - start)
    const room = await take()
    const bytes = room.input.subarray(DICTIONARY_SIZE, DICTIONARY_SIZE + size)
    let seen = 0
    await input.readInto(bytes, start, piece => {
      seen += piece.length
      see(piece)
    })
    if (seen === 0 || seen < size) see(bytes.subarray(seen))
    room.input.set(dictionary)
    if (size === BLOCK_SIZE) dictionary.set(room.input.subarray(BLOCK_SIZE))
    yield {
      room,
      dictionarySize: Math.min(DICTIONARY_SIZE, start),
      size,
      isLast: start + size === input.size,
    }
  }
}
