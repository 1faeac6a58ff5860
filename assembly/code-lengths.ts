// The codes of a deflate block (RFC 1951, 3.2.6 and 3.2.7), made into tables.

import { bits, lacks, refill, take } from './bit-reader'
import { END, INVALID, LITERAL, makeTable, pairLiterals } from './decode-table'
import {
  DISTANCE_ENTRIES,
  DISTANCE_TABLE,
  DISTANCE_TABLE_BITS,
  LENGTHS,
  LITERAL_ENTRIES,
  LITERAL_TABLE,
  LITERAL_TABLE_BITS,
  PRECODE_ENTRIES,
  PRECODE_LENGTHS,
  PRECODE_TABLE,
  PRECODE_TABLE_BITS,
} from './inflate-map'
import { DISTANCE_BASE, DISTANCE_EXTRA, LENGTH_BASE, LENGTH_EXTRA, PRECODE_ORDER } from './memory-map'

const END_OF_BLOCK: u32 = 256
/** Of the 288 and 32 symbols that codes are made of, two each stand for nothing. */
const LITERALS: u32 = 286
const DISTANCES: u32 = 30

/** Whether the tables are those of the fixed codes. */
let areFixed: bool = false

/** Fills what never changes. Called once, before anything else. */
export function prepareEntries(): void {
  for (let symbol: u32 = 0; symbol < 288; symbol++) {
    let entry = INVALID
    if (symbol < END_OF_BLOCK) entry = LITERAL | (symbol << 16)
    else if (symbol === END_OF_BLOCK) entry = END
    else if (symbol < LITERALS) {
      const index = <usize>(symbol - 257)
      entry = ((<u32>load<u16>(LENGTH_BASE + (index << 1))) << 16) | load<u8>(LENGTH_EXTRA + index)
    }
    store<u32>(LITERAL_ENTRIES + ((<usize>symbol) << 2), entry)
  }
  for (let symbol: u32 = 0; symbol < 32; symbol++) {
    let entry = INVALID
    if (symbol < DISTANCES)
      entry =
        ((<u32>load<u16>(DISTANCE_BASE + ((<usize>symbol) << 1))) << 16) | load<u8>(DISTANCE_EXTRA + symbol)
    store<u32>(DISTANCE_ENTRIES + ((<usize>symbol) << 2), entry)
  }
  for (let symbol: u32 = 0; symbol < 19; symbol++)
    store<u32>(PRECODE_ENTRIES + ((<usize>symbol) << 2), symbol << 16)
}

/** Makes the tables of the fixed codes. */
export function useFixedCodes(): void {
  if (areFixed) return
  memory.fill(LENGTHS, 8, 144)
  memory.fill(LENGTHS + 144, 9, 112)
  memory.fill(LENGTHS + 256, 7, 24)
  memory.fill(LENGTHS + 280, 8, 8)
  memory.fill(LENGTHS + 288, 5, 32)
  makeTables(288, 32)
  areFixed = true
}

/**
 * Reads the codes of a block, and makes their tables.
 *
 * @returns whether they are codes; true also when the input ends within them, and then nothing was made
 */
export function readCodes(): bool {
  const literals = take(5) + 257
  const distances = take(5) + 1
  const precodes = take(4) + 4
  if (literals > LITERALS || distances > DISTANCES) return false
  memory.fill(PRECODE_LENGTHS, 0, 19)
  for (let index: u32 = 0; index < precodes; index++)
    store<u8>(PRECODE_LENGTHS + load<u8>(PRECODE_ORDER + index), <u8>take(3))
  if (lacks) return true
  if (!makeTable(PRECODE_TABLE, PRECODE_TABLE_BITS, PRECODE_LENGTHS, 19, PRECODE_ENTRIES, false)) return false
  if (!readLengths(literals + distances)) return false
  // Every block has an end.
  if (!lacks && load<u8>(LENGTHS + END_OF_BLOCK) === 0) return false
  if (lacks) return true
  areFixed = false
  return makeTables(literals, distances)
}

/** Reads the lengths of the codes, which are themselves coded. @returns whether they can be right so far */
function readLengths(total: u32): bool {
  for (let index: u32 = 0; index < total; ) {
    const symbol = takeSymbol()
    if (lacks) return true
    if (symbol < 16) {
      store<u8>(LENGTHS + index++, <u8>symbol)
      continue
    }
    if (symbol === 16 && index === 0) return false
    const value: u8 = symbol === 16 ? load<u8>(LENGTHS + index - 1) : 0
    const count = symbol === 16 ? 3 + take(2) : symbol === 17 ? 3 + take(3) : 11 + take(7)
    if (lacks) return true
    if (index + count > total) return false
    memory.fill(LENGTHS + index, value, count)
    index += count
  }
  return true
}

function takeSymbol(): u32 {
  refill()
  const entry = load<u32>(PRECODE_TABLE + ((<usize>(<u32>bits & ((1 << PRECODE_TABLE_BITS) - 1))) << 2))
  take(entry & 63)
  return entry >> 16
}

function makeTables(literals: u32, distances: u32): bool {
  const literalsAreRight = makeTable(
    LITERAL_TABLE,
    LITERAL_TABLE_BITS,
    LENGTHS,
    literals,
    LITERAL_ENTRIES,
    true,
  )
  if (!literalsAreRight) return false
  pairLiterals(LITERAL_TABLE, LITERAL_TABLE_BITS)
  return makeTable(DISTANCE_TABLE, DISTANCE_TABLE_BITS, LENGTHS + literals, distances, DISTANCE_ENTRIES, true)
}
