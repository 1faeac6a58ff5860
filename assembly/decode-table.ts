// Tables that tell the symbol of a code by the next bits of a stream (RFC 1951, 3.2.2): by the first bits alone, or through a
// second table for codes that are longer.
//
// An entry is a u32. Bits 0 to 5: how many bits it takes, extra bits included. Bit 6: it is one literal, and with bit 7
// two. Bits 8 to 13: how many bits come before the extra bits. Bit 14: it is none of that, see the constants. Bits 16 to 31: the
// literals, the base of the length or distance, or the place of the second table.

import { COUNTS, MOST_BITS, PLACES, SORTED } from './inflate-map'

export const LITERAL: u32 = 1 << 6
export const TWO: u32 = 1 << 7
export const EXCEPTION: u32 = 1 << 14
/** Of the exceptions: the end of a block, and a second table. What is neither is no code at all. */
export const END: u32 = EXCEPTION | (1 << 13)
export const SECOND: u32 = EXCEPTION | (1 << 12)
export const INVALID: u32 = EXCEPTION

/**
 * Makes a table.
 *
 * @param lengths of the codes, u8 for each symbol
 * @param entries of the symbols, without their codes' lengths
 * @param mayLack whether one single code of one bit, or none, will do
 * @returns whether the lengths make a code
 */
export function makeTable(
  table: usize,
  tableBits: u32,
  lengths: usize,
  symbols: u32,
  entries: usize,
  mayLack: bool,
): bool {
  memory.fill(COUNTS, 0, 16 * 4)
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const place = COUNTS + ((<usize>load<u8>(lengths + symbol)) << 2)
    store<u32>(place, load<u32>(place) + 1)
  }
  let longest = MOST_BITS
  while (longest > 0 && load<u32>(COUNTS + ((<usize>longest) << 2)) === 0) longest--
  let left: i32 = 1
  let position: u32 = 0
  for (let bits: u32 = 1; bits <= MOST_BITS; bits++) {
    const count = load<u32>(COUNTS + ((<usize>bits) << 2))
    store<u32>(PLACES + ((<usize>bits) << 2), position)
    position += count
    left = (left << 1) - <i32>count
    if (left < 0) return false
  }
  if (left > 0) {
    if (!mayLack || longest > 1) return false
    for (let index: usize = 0; index < (<usize>1) << tableBits; index++)
      store<u32>(table + (index << 2), INVALID)
  }
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const bits = <usize>load<u8>(lengths + symbol)
    if (bits === 0) continue
    const place = PLACES + (bits << 2)
    const sorted = load<u32>(place)
    store<u32>(place, sorted + 1)
    store<u16>(SORTED + ((<usize>sorted) << 1), <u16>symbol)
  }
  if (left > 0 && longest === 0) return true
  if (left > 0) {
    const entry = entryOf(entries, 0, 1)
    for (let index: usize = 0; index < (<usize>1) << tableBits; index += 2)
      store<u32>(table + (index << 2), entry)
    return true
  }
  fill(table, tableBits, entries, longest)
  return true
}

/** The entry of a symbol, by its place among the sorted ones. */
function entryOf(entries: usize, sorted: u32, bits: u32): u32 {
  const symbol = load<u16>(SORTED + ((<usize>sorted) << 1))
  return withBits(load<u32>(entries + ((<usize>symbol) << 2)), bits)
}

/** An entry with the bits of its code: they come before the extra bits, which it counts already. */
function withBits(entry: u32, bits: u32): u32 {
  // The end of a block has none, and a flag where others count.
  return (entry & EXCEPTION) !== 0 || (entry & LITERAL) !== 0 ? entry + bits : entry + bits + (bits << 8)
}

/** Codes come bit by bit with the first bit lowest: they are counted up from the highest bit on. */
function fill(table: usize, tableBits: u32, entries: usize, longest: u32): void {
  let code: u32 = 0
  let sorted: u32 = 0
  let filled: u32 = 1
  let bits: u32 = 1
  for (; bits <= min(longest, tableBits); bits++) {
    // What is there so far is the same for each value of the next bit.
    memory.copy(table + ((<usize>filled) << 2), table, (<usize>filled) << 2)
    filled <<= 1
    for (let count = load<u32>(COUNTS + ((<usize>bits) << 2)); count > 0; count--) {
      store<u32>(table + ((<usize>code) << 2), entryOf(entries, sorted++, bits))
      code = next(code, filled - 1)
    }
  }
  for (; filled < (<u32>1) << tableBits; filled <<= 1)
    memory.copy(table + ((<usize>filled) << 2), table, (<usize>filled) << 2)

  let second: u32 = (<u32>1) << tableBits
  let secondBits: u32 = 0
  let secondStart: u32 = 0
  let first: u32 = ~0
  for (; bits <= longest; bits++) {
    for (let count = load<u32>(COUNTS + ((<usize>bits) << 2)); count > 0; count--) {
      if ((code & ((1 << tableBits) - 1)) !== first) {
        first = code & ((1 << tableBits) - 1)
        secondStart = second
        secondBits = bitsOfSecond(bits, count, tableBits)
        second += 1 << secondBits
        store<u32>(
          table + ((<usize>first) << 2),
          SECOND | (secondStart << 16) | (secondBits << 8) | tableBits,
        )
      }
      const entry = entryOf(entries, sorted++, bits)
      // The bits of the first level are taken already.
      const less = tableBits + ((entry & (LITERAL | EXCEPTION)) !== 0 ? 0 : tableBits << 8)
      for (
        let index: u32 = code >> tableBits;
        index < (<u32>1) << secondBits;
        index += 1 << (bits - tableBits)
      )
        store<u32>(table + ((<usize>(secondStart + index)) << 2), entry - less)
      code = next(code, (1 << bits) - 1)
    }
    // One more bit, at the other end.
  }
}

/** How many bits find an entry in a second table that begins with codes of some length. */
function bitsOfSecond(bits: u32, count: u32, tableBits: u32): u32 {
  let secondBits = bits - tableBits
  let used = count
  while (used < (<u32>1) << secondBits) {
    secondBits++
    used = (used << 1) + load<u32>(COUNTS + ((<usize>(tableBits + secondBits)) << 2))
  }
  return secondBits
}

/** The code after another one of the same length, with bits reversed. @param all ones in all bits of the code */
function next(code: u32, all: u32): u32 {
  if (code === all) return 0
  const bit = <u32>0x80000000 >> clz(code ^ all)
  return (code & (bit - 1)) | bit
}

/** Makes two literals of each one that another follows within the bits of the first level. */
export function pairLiterals(table: usize, tableBits: u32): void {
  // Downwards: what a literal is followed by stands further down, and is one literal still.
  for (let index: u32 = (1 << tableBits) - 1; index > 0; index--) {
    const place = table + ((<usize>index) << 2)
    const entry = load<u32>(place)
    if ((entry & LITERAL) === 0) continue
    const bits = entry & 63
    const follower = load<u32>(table + ((<usize>(index >> bits)) << 2))
    if ((follower & LITERAL) === 0 || bits + (follower & 63) > tableBits) continue
    store<u32>(place, (entry + (follower & 63)) | TWO | ((follower >> 16) << 24))
  }
}
