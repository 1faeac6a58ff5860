// Cuts the input into sequences: some literals, then a match (RFC 1951, 2). Each hash of 5 bytes has the two last places where
// they were, the later one in the low half. A place is kept as its low 16 bits, since no match is further back than that.

import {
  at,
  DISTANCE_BASE,
  DISTANCE_COUNTS,
  distanceSymbolAt,
  HASH_BITS,
  HASH_TABLE,
  HASH_TABLE_SIZE,
  INPUT,
  increment,
  LENGTH_SYMBOLS,
  LITERAL_COUNTS,
  MOST_BYTES,
  MOST_SEQUENCES,
  SEQUENCES,
  WINDOW_SIZE,
} from './memory-map'

const LONGEST: u32 = 258
/** A match of this length is taken without a look at the older place. */
const GOOD_LENGTH: u32 = 24
/** After each 2^6 bytes without a match, one byte more is passed over at a time: there is likely none to come. */
const SKIP_SHIFT: u32 = 6
/** 2^64 divided by the golden ratio: multiplied by it, bytes that are alike get hashes that are not. */
const HASH_FACTOR: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15
/** So near to the end no match is looked for, and everything that is read lies within the input. */
const END_MARGIN: usize = 12

let end: usize = 0
/** The first byte of the dictionary. */
let lowest: usize = 0

/** Where the sequences that were found last end. */
export let sequencesEnd: usize = SEQUENCES

/** Begins with an input of `size` bytes, behind a dictionary. */
export function startMatching(dictionarySize: usize, size: usize): void {
  end = INPUT + size
  lowest = INPUT - dictionarySize
  // What reads ahead must always find the same.
  memory.fill(end, 0, 16)
  memory.fill(HASH_TABLE, 0, HASH_TABLE_SIZE)
  for (let place = lowest; place + 8 <= INPUT; place += 2) insert(place)
}

/**
 * Finds the sequences of the next deflate block, and counts its symbols. A sequence is a u64: from its lowest bit on
 * 20 bits of how many literals, 9 bits of the match's length, 5 bits of the distance's symbol, and that symbol's extra bits.
 * The last one has only literals.
 *
 * @param start of the block
 * @returns its end
 */
export function findSequences(start: usize): usize {
  memory.fill(LITERAL_COUNTS, 0, (288 + 32) * 4)
  const searchEnd = max(start, end - END_MARGIN)
  const stop = min(searchEnd, start + MOST_BYTES)
  const full = SEQUENCES + (MOST_SEQUENCES - 1) * 8
  let sequence = SEQUENCES
  let literals = start
  let place = start
  while (place < stop) {
    const word = load<u32>(place)
    const bucket = insert(place)
    const distance1 = (<u32>place - bucket) & 0xffff
    const distance2 = (<u32>place - (bucket >> 16)) & 0xffff
    // Wherever these are, it is in our memory. Mostly neither is equal, so that is one branch.
    const isEqual1 = load<u32>(place - distance1) === word
    const isEqual2 = load<u32>(place - distance2) === word
    let length: u32 = 0
    let distance: u32 = 0
    if (<i32>isEqual1 | <i32>isEqual2) {
      if (isEqual1 && isWithin(place, distance1)) {
        length = matchLength(place, distance1)
        distance = distance1
      }
      if (isEqual2 && length < GOOD_LENGTH && isWithin(place, distance2)) {
        const older = matchLength(place, distance2)
        if (older > length) {
          length = older
          distance = distance2
        }
      }
    }
    if (length === 0) {
      place += 1 + ((place - literals) >> SKIP_SHIFT)
      continue
    }
    const symbol = <u32>load<u8>(distanceSymbolAt(distance - 1))
    for (let literal = literals; literal < place; literal++) increment(LITERAL_COUNTS, load<u8>(literal))
    increment(LITERAL_COUNTS, 257 + <u32>load<u8>(LENGTH_SYMBOLS + length))
    increment(DISTANCE_COUNTS, symbol)
    const extra = distance - <u32>load<u16>(DISTANCE_BASE + (symbol << 1))
    store<u64>(
      sequence,
      <u64>(place - literals) | ((<u64>length) << 20) | ((<u64>symbol) << 29) | ((<u64>extra) << 34),
    )
    // Not every byte of a match is worth finding again.
    insert(place + 1)
    insert(place + 2)
    insert(place + 3)
    insert(place + length - 3)
    insert(place + length - 2)
    insert(place + length - 1)
    place += length
    literals = place
    sequence += 8
    if (sequence === full) break
  }
  // The last bytes of the input, and those that were passed over beyond its end.
  if (place >= searchEnd) place = end
  for (let literal = literals; literal < place; literal++) increment(LITERAL_COUNTS, load<u8>(literal))
  store<u64>(sequence, <u64>(place - literals))
  sequencesEnd = sequence
  return place
}

/** Puts a place into the table. Returns the two that were there. */
function insert(place: usize): u32 {
  // Of 5 bytes: matches of 4 are found only by chance, and save little.
  const hash = ((load<u64>(place) << 24) * HASH_FACTOR) >> (64 - HASH_BITS)
  const slot = at(HASH_TABLE, <u32>hash)
  const bucket = load<u32>(slot)
  store<u32>(slot, (bucket << 16) | (<u32>place & 0xffff))
  return bucket
}

/** The table may hold what was never put there, or is too far back. */
function isWithin(place: usize, distance: u32): boolean {
  return distance - 1 < <u32>WINDOW_SIZE && place - distance >= lowest
}

/** How many bytes are equal, of which the first 4 are known to be. */
function matchLength(place: usize, distance: u32): u32 {
  const most = min<u32>(LONGEST, <u32>(end - place))
  for (let length: u32 = 4; length < most; length += 8) {
    const difference = load<u64>(place + length) ^ load<u64>(place - distance + length)
    if (difference !== 0) return min<u32>(most, length + <u32>(ctz(difference) >> 3))
  }
  return most
}
