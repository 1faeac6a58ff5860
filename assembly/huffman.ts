// Prefix codes of limited length (RFC 1951, 3.2.2).

import { at, increment, SORTED, SORTED_TOO, TALLY, WEIGHTS } from './memory-map'

/** Symbols are sorted by count and number in one u32: 23 bits of count, which blocks never exceed, and 9 of number. */
const NUMBER_BITS: u32 = 9
const NUMBER_MASK: u32 = 511

/**
 * Finds the code length of each symbol. A symbol that never comes has none.
 *
 * @param counts u32 for each symbol
 * @param lengths u8 for each symbol, written
 * @param limit the longest that a code may be, in bits
 */
export function makeLengths(counts: usize, symbols: u32, limit: u32, lengths: usize): void {
  let used: u32 = 0
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const count = load<u32>(at(counts, symbol))
    store<u8>(lengths + symbol, 0)
    if (count !== 0) store<u32>(at(SORTED, used++), (count << NUMBER_BITS) | symbol)
  }
  if (used === 0) return
  if (used === 1) {
    store<u8>(lengths + (load<u32>(SORTED) & NUMBER_MASK), 1)
    return
  }
  const sorted = sortByCount(used)
  tallyLengths(sorted, used, limit)
  // The most frequent symbols, which are last, get the shortest codes.
  let position = used
  for (let length: u32 = 1; length <= limit; length++) {
    for (let count = load<u32>(at(TALLY, length)); count > 0; count--) {
      store<u8>(lengths + (load<u32>(at(sorted, --position)) & NUMBER_MASK), length)
    }
  }
}

/** Radix sort of what is in SORTED. Returns where the sorted symbols are. */
function sortByCount(used: u32): usize {
  let from = SORTED
  let to = SORTED_TOO
  for (let shift = NUMBER_BITS; shift < 32; shift += 8) {
    memory.fill(TALLY, 0, 256 * 4)
    for (let index: u32 = 0; index < used; index++)
      increment(TALLY, (load<u32>(at(from, index)) >> shift) & 255)
    if (load<u32>(TALLY) === used) continue
    let start: u32 = 0
    for (let digit: u32 = 0; digit < 256; digit++) {
      const count = load<u32>(at(TALLY, digit))
      store<u32>(at(TALLY, digit), start)
      start += count
    }
    for (let index: u32 = 0; index < used; index++) {
      const symbol = load<u32>(at(from, index))
      const digit = (symbol >> shift) & 255
      store<u32>(at(to, load<u32>(at(TALLY, digit))), symbol)
      increment(TALLY, digit)
    }
    const other = from
    from = to
    to = other
  }
  return from
}

/**
 * How many codes there are of each length, in TALLY. The tree is made in place, as Moffat and Katajainen have shown
 * ("In-place calculation of minimum-redundancy codes", 1995): weights become the indexes of parents, these become depths.
 */
function tallyLengths(sorted: usize, used: u32, limit: u32): void {
  const last = used - 1
  for (let index: u32 = 0; index < used; index++) {
    store<u32>(at(WEIGHTS, index), load<u32>(at(sorted, index)) >> NUMBER_BITS)
  }
  let tree: u32 = 0
  let leaf: u32 = 0
  for (let node: u32 = 0; node < last; node++) {
    let weight: u32 = 0
    for (let child = 0; child < 2; child++) {
      const takesTree =
        leaf >= used || (tree < node && load<u32>(at(WEIGHTS, tree)) < load<u32>(at(WEIGHTS, leaf)))
      if (takesTree) {
        weight += load<u32>(at(WEIGHTS, tree))
        store<u32>(at(WEIGHTS, tree++), node)
      } else weight += load<u32>(at(WEIGHTS, leaf++))
    }
    store<u32>(at(WEIGHTS, node), weight)
  }

  memory.fill(TALLY, 0, 256)
  store<u32>(at(WEIGHTS, last - 1), 0)
  for (let node = <i32>last - 2; node >= 0; node--) {
    const parent = load<u32>(at(WEIGHTS, node))
    store<u32>(at(WEIGHTS, node), load<u32>(at(WEIGHTS, parent)) + 1)
  }
  let room: u32 = 1
  let node = <i32>last - 1
  for (let depth: u32 = 0; room > 0; depth++) {
    let inner: u32 = 0
    while (node >= 0 && load<u32>(at(WEIGHTS, node)) === depth) {
      inner++
      node--
    }
    const length = min(depth, limit)
    store<u32>(at(TALLY, length), load<u32>(at(TALLY, length)) + room - inner)
    room = 2 * inner
  }
  shortenTo(limit)
}

/** Codes that were cut to the limit leave too many of that length: others get longer until all fit. */
function shortenTo(limit: u32): void {
  let taken: u32 = 0
  for (let length: u32 = 1; length <= limit; length++)
    taken += load<u32>(at(TALLY, length)) << (limit - length)
  for (; taken > (<u32>1) << limit; taken--) {
    let length = limit - 1
    while (load<u32>(at(TALLY, length)) === 0) length--
    store<u32>(at(TALLY, length), load<u32>(at(TALLY, length)) - 1)
    store<u32>(at(TALLY, length + 1), load<u32>(at(TALLY, length + 1)) + 2)
    store<u32>(at(TALLY, limit), load<u32>(at(TALLY, limit)) - 1)
  }
}

/** Makes the canonical codes for given lengths. */
export function makeCodes(lengths: usize, symbols: u32, codes: usize): void {
  const next = at(TALLY, 16)
  memory.fill(TALLY, 0, 16 * 4)
  for (let symbol: u32 = 0; symbol < symbols; symbol++) increment(TALLY, load<u8>(lengths + symbol))
  store<u32>(TALLY, 0)
  let code: u32 = 0
  for (let length: u32 = 1; length < 16; length++) {
    code = (code + load<u32>(at(TALLY, length - 1))) << 1
    store<u32>(at(next, length), code)
  }
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const length: u32 = load<u8>(lengths + symbol)
    store<u32>(at(codes, symbol), 0)
    if (length === 0) continue
    store<u32>(at(codes, symbol), ((reverse16(load<u32>(at(next, length))) >> (16 - length)) << 8) | length)
    increment(next, length)
  }
}

/** Codes are written from their highest bit on, everything else from its lowest. */
function reverse16(code: u32): u32 {
  code = ((code & 0x5555) << 1) | ((code >> 1) & 0x5555)
  code = ((code & 0x3333) << 2) | ((code >> 2) & 0x3333)
  code = ((code & 0x0f0f) << 4) | ((code >> 4) & 0x0f0f)
  return ((code & 0x00ff) << 8) | (code >> 8)
}
