// Decodes the symbols of a deflate block (RFC 1951, 3.2.3): literals and matches.

import { bitCount, bits, input, inputEnd, refill, setInput } from './bit-reader'
import { END, EXCEPTION, LITERAL, SECOND } from './decode-table'
import { DISTANCE_TABLE, DISTANCE_TABLE_BITS, LITERAL_TABLE, LITERAL_TABLE_BITS } from './inflate-map'

/** How a run of symbols ended. */
export const BLOCK_ENDED: i32 = 0
export const OUTPUT_ENDED: i32 = 1
export const INPUT_ENDED: i32 = 2
export const NO_CODE: i32 = 3
export const TOO_FAR: i32 = 4

/** A length and a distance take at most so many bits, with their codes. What follows a block in gzip has more. */
const SEQUENCE_BITS: u32 = 48
/** What one round of the fast loop reads ahead at most. */
const READ_AHEAD: usize = 32

/** Where the output goes on. */
export let output: usize = 0

export function setOutput(place: usize): void {
  output = place
}

/**
 * Decodes until the block, the input or the room for output ends.
 *
 * @param limit of the output; the last round goes beyond by less than OUTPUT_MARGIN
 * @param lowest where the oldest byte is that a match may begin with
 */
export function decode(limit: usize, lowest: usize): i32 {
  let status = INPUT_ENDED
  let place = input
  let left = bits
  let count: u64 = bitCount
  let out = output
  const fastEnd = inputEnd - READ_AHEAD

  for (;;) {
    if (out >= limit) {
      status = OUTPUT_ENDED
      break
    }
    if (<isize>place < <isize>fastEnd) {
      left |= load<u64>(place) << count
      place += <usize>((63 - count) >> 3)
      count |= 56
    } else {
      // Near the end, byte by byte.
      setInput(place, left, <u32>count)
      refill()
      place = input
      left = bits
      count = bitCount
      if (count < SEQUENCE_BITS) break
    }

    let entry = literalEntry(left)
    if ((entry & LITERAL) !== 0) {
      store<u16>(out, <u16>(entry >> 16))
      out += <usize>(1 + ((entry >> 7) & 1))
      left >>= <u64>entry
      count -= <u64>(entry & 63)
      if (<isize>place >= <isize>fastEnd) continue
      entry = literalEntry(left)
      if ((entry & LITERAL) !== 0) {
        store<u16>(out, <u16>(entry >> 16))
        out += <usize>(1 + ((entry >> 7) & 1))
        left >>= <u64>entry
        count -= <u64>(entry & 63)
        entry = literalEntry(left)
        if ((entry & LITERAL) !== 0) {
          store<u16>(out, <u16>(entry >> 16))
          out += <usize>(1 + ((entry >> 7) & 1))
          left >>= <u64>entry
          count -= <u64>(entry & 63)
          continue
        }
      }
      left |= load<u64>(place) << count
      place += <usize>((63 - count) >> 3)
      count |= 56
    }
    if ((entry & EXCEPTION) !== 0) {
      left >>= <u64>entry
      count -= <u64>(entry & 63)
      if ((entry & SECOND) === SECOND) {
        entry = secondEntry(LITERAL_TABLE, entry, left)
        if ((entry & LITERAL) !== 0) {
          store<u8>(out++, <u8>(entry >> 16))
          left >>= <u64>entry
          count -= <u64>(entry & 63)
          continue
        }
        if ((entry & EXCEPTION) !== 0) {
          left >>= <u64>entry
          count -= <u64>(entry & 63)
        }
      }
      if ((entry & EXCEPTION) !== 0) {
        status = (entry & END) === END ? BLOCK_ENDED : NO_CODE
        break
      }
    }
    const length = numberOf(entry, left)
    left >>= <u64>entry
    count -= <u64>(entry & 63)

    entry = load<u32>((<usize>(<u32>left & ((1 << DISTANCE_TABLE_BITS) - 1))) << 2, DISTANCE_TABLE)
    if ((entry & EXCEPTION) !== 0) {
      if ((entry & SECOND) === SECOND) {
        left >>= <u64>entry
        count -= <u64>(entry & 63)
        entry = secondEntry(DISTANCE_TABLE, entry, left)
      }
      if ((entry & EXCEPTION) !== 0) {
        status = NO_CODE
        break
      }
    }
    const distance = numberOf(entry, left)
    left >>= <u64>entry
    count -= <u64>(entry & 63)
    if (out - distance < lowest) {
      status = TOO_FAR
      break
    }
    copyMatch(out, distance, length)
    out += length
  }
  setInput(place, left, <u32>count)
  output = out
  return status
}

/** The entry of the next literal or length. */
function literalEntry(left: u64): u32 {
  return load<u32>((<usize>(<u32>left & ((1 << LITERAL_TABLE_BITS) - 1))) << 2, LITERAL_TABLE)
}

function secondEntry(table: usize, first: u32, left: u64): u32 {
  const index = (first >> 16) + (<u32>left & ((1 << ((first >> 8) & 15)) - 1))
  return load<u32>(table + ((<usize>index) << 2))
}

/** The length or distance that an entry stands for, with its extra bits. */
function numberOf(entry: u32, left: u64): usize {
  const taken = left & (((<u64>1) << (<u64>entry)) - 1)
  return <usize>(entry >> 16) + <usize>(taken >> <u64>(entry >> 8))
}

/** Copies a match in pieces that may reach beyond its end. */
function copyMatch(out: usize, distance: usize, length: usize): void {
  let from = out - distance
  let to = out
  const end = out + length
  if (distance >= 16) {
    v128.store(to, v128.load(from))
    v128.store(to, v128.load(from, 16), 16)
    if (length > 32) {
      do {
        to += 32
        from += 32
        v128.store(to, v128.load(from))
        v128.store(to, v128.load(from, 16), 16)
      } while (to + 32 < end)
    }
  } else if (distance >= 8) {
    do {
      store<u64>(to, load<u64>(from))
      to += 8
      from += 8
    } while (to < end)
  } else if (distance === 1) {
    const same = i8x16.splat(load<i8>(from))
    do {
      v128.store(to, same)
      to += 16
    } while (to < end)
  } else {
    // Of each 8 bytes those of one distance are right, and they are what comes next.
    do {
      store<u64>(to, load<u64>(from))
      to += distance
      from += distance
    } while (to < end)
  }
}
