// Cuts the input into sequences: some literals, then a match (RFC 1951, 2). Each hash of 5 bytes has the two last places where
// they were, the later one in the low half. A place is kept as its low 16 bits, since no match is further back than that.
//
// What takes the time is not work but guesses of the processor that turn out wrong. So two places are looked at in one
// step, with both candidates of each, and the longest match is found without a branch.

import {
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
/** Those of 4 are found only by chance, and save little. */
const SHORTEST: u32 = 5
/** So much is compared at first. */
const FIRST_LOOK: u32 = 16
/** After each 2^6 bytes without a match, one byte more is passed over at a time: there is likely none to come. */
const SKIP_SHIFT: u32 = 6
/** 2^64 divided by the golden ratio: multiplied by it, bytes that are alike get hashes that are not. */
const HASH_FACTOR: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15
/** So near to the end no match is looked for, and everything that is read lies within the input. */
const END_MARGIN: usize = 20

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
  for (let place = lowest; place + 8 <= INPUT; place += 4) insert(place)
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
    const word1 = load<u64>(place)
    const word2 = load<u64>(place, 1)
    const buckets1 = put(place, word1)
    const buckets2 = put(place + 1, word2)
    const near1 = distanceTo(place, buckets1)
    const far1 = distanceTo(place, buckets1 >> 16)
    const near2 = distanceTo(place + 1, buckets2)
    const far2 = distanceTo(place + 1, buckets2 >> 16)
    // Wherever these are, it is in our memory.
    const nearDifference1 = load<u64>(place - near1) ^ word1
    const farDifference1 = load<u64>(place - far1) ^ word1
    const nearDifference2 = load<u64>(place - near2, 1) ^ word2
    const farDifference2 = load<u64>(place - far2, 1) ^ word2
    // Mostly none of them begins with 4 equal bytes, so that is one branch.
    if (
      <i32>(<u32>nearDifference1 === 0) |
      <i32>(<u32>farDifference1 === 0) |
      <i32>(<u32>nearDifference2 === 0) |
      <i32>(<u32>farDifference2 === 0)
    ) {
      const nearLength1 = lengthWithin(place, near1, nearDifference1)
      const farLength1 = lengthWithin(place, far1, farDifference1)
      const nearLength2 = lengthWithin(place + 1, near2, nearDifference2)
      const farLength2 = lengthWithin(place + 1, far2, farDifference2)
      const length1 = max(nearLength1, farLength1)
      const length2 = max(nearLength2, farLength2)
      let length = max(length1, length2)
      if (length >= SHORTEST) {
        const distance1 = select<u32>(far1, near1, farLength1 > nearLength1)
        const distance2 = select<u32>(far2, near2, farLength2 > nearLength2)
        const isSecond = length2 > length1
        const distance = select<u32>(distance2, distance1, isSecond)
        count(<u32>word1 & 255, <u32>isSecond)
        place += <usize>isSecond
        if (length === FIRST_LOOK) length = wholeLength(place, distance)
        addSequence(sequence, <u32>(place - literals), length, distance)
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
        continue
      }
    }
    const next = min(place + 2 + ((place - literals) >> SKIP_SHIFT), end)
    count(<u32>word1 & 255, 1)
    count(<u32>word2 & 255, 1)
    for (place += 2; place < next; place++) count(load<u8>(place), 1)
  }
  // The last bytes of the input, and those that were passed over beyond its end.
  if (place >= searchEnd) for (; place < end; place++) count(load<u8>(place), 1)
  store<u64>(sequence, <u64>(place - literals))
  sequencesEnd = sequence
  return place
}

/** Counts a literal, or the symbol of a length. */
function count(symbol: u32, times: u32): void {
  store<u32>(symbol << 2, load<u32>(symbol << 2, LITERAL_COUNTS) + times, LITERAL_COUNTS)
}

function addSequence(sequence: usize, literals: u32, length: u32, distance: u32): void {
  const symbol = <u32>load<u8>(distanceSymbolAt(distance - 1))
  count(257 + <u32>load<u8>(length, LENGTH_SYMBOLS), 1)
  increment(DISTANCE_COUNTS, symbol)
  const extra = distance - <u32>load<u16>(symbol << 1, DISTANCE_BASE)
  store<u64>(sequence, <u64>literals | ((<u64>length) << 20) | ((<u64>symbol) << 29) | ((<u64>extra) << 34))
}

function insert(place: usize): void {
  put(place, load<u64>(place))
}

/** Puts a place into the table. Returns the two that were there. */
function put(place: usize, word: u64): u32 {
  const hash = <u32>(((word << 24) * HASH_FACTOR) >> (64 - HASH_BITS))
  const bucket = load<u32>(hash << 2, HASH_TABLE)
  store<u32>(hash << 2, (bucket << 16) | (<u32>place & 0xffff), HASH_TABLE)
  return bucket
}

function distanceTo(place: usize, bucket: u32): u32 {
  return (<u32>place - bucket) & 0xffff
}

/**
 * How many bytes are equal, 16 at most. None where the distance is none: the table may hold what was never put there, or is
 * too far back.
 *
 * @param difference of the first 8 bytes
 */
function lengthWithin(place: usize, distance: u32, difference: u64): u32 {
  const first = <u32>(ctz(difference) >> 3)
  const second = <u32>(ctz(load<u64>(place, 8) ^ load<u64>(place - distance, 8)) >> 3)
  const furthest = min<u32>(<u32>WINDOW_SIZE, <u32>(place - lowest))
  return select<u32>(first + select<u32>(second, 0, first === 8), 0, distance - 1 < furthest)
}

/** How many bytes are equal, of which the first 16 are known to be. */
function wholeLength(place: usize, distance: u32): u32 {
  const most = min<u32>(LONGEST, <u32>(end - place))
  for (let length = FIRST_LOOK; length < most; length += 8) {
    const difference = load<u64>(place + length) ^ load<u64>(place - distance + length)
    if (difference !== 0) return min<u32>(most, length + <u32>(ctz(difference) >> 3))
  }
  return most
}
