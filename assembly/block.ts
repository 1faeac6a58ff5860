// Writes the sequences of one deflate block (RFC 1951, 3.2.3), with codes made for it, or its bytes as they are.

import { flush, output, pending, pendingCount, put, putStored, resume } from './bit-writer'
import { makeCodes, makeLengths } from './huffman'
import { sequencesEnd } from './match-finder'
import {
  at,
  DISTANCE_BITS,
  DISTANCE_CODES,
  DISTANCE_COUNTS,
  DISTANCE_EXTRA,
  DISTANCES,
  END_OF_BLOCK,
  increment,
  LENGTH_BASE,
  LENGTH_CODES,
  LENGTH_EXTRA,
  LENGTH_SYMBOLS,
  LITERAL_BITS,
  LITERAL_CODES,
  LITERAL_COUNTS,
  LITERALS,
  PRECODE_CODES,
  PRECODE_COUNTS,
  PRECODE_ORDER,
  PRECODES,
  RUNS,
  SEQUENCES,
} from './memory-map'

/** So short that four literals, or a match, fit into the bit writer at once. */
const LITERAL_LIMIT: u32 = 14
const CODE_LIMIT: u32 = 15
const PRECODE_LIMIT: u32 = 7
/** What the header of a block with its own codes takes, in bits, about. */
const HEADER_COST: u64 = 400
const MOST_STORED: usize = 0xffff

/** Writes the block that was found last. */
export function writeBlock(start: usize, end: usize, isLast: boolean): void {
  increment(LITERAL_COUNTS, <u32>END_OF_BLOCK)
  makeLengths(LITERAL_COUNTS, LITERALS, LITERAL_LIMIT, LITERAL_BITS)
  makeLengths(DISTANCE_COUNTS, DISTANCES, CODE_LIMIT, DISTANCE_BITS)
  if (codedCost() + HEADER_COST >= <u64>(end - start) * 8) {
    writeStored(start, end, isLast)
    return
  }
  makeCodes(LITERAL_BITS, LITERALS, LITERAL_CODES)
  makeCodes(DISTANCE_BITS, DISTANCES, DISTANCE_CODES)
  writeHeader(isLast)
  makeLengthCodes()
  writeSequences(start)
}

/** What all symbols with their extra bits take, in bits. */
function codedCost(): u64 {
  let cost: u64 = 0
  for (let symbol: u32 = 0; symbol < LITERALS; symbol++) {
    const extra: u32 = symbol > <u32>END_OF_BLOCK ? load<u8>(LENGTH_EXTRA + symbol - 257) : 0
    cost += <u64>load<u32>(at(LITERAL_COUNTS, symbol)) * (load<u8>(LITERAL_BITS + symbol) + extra)
  }
  for (let symbol: u32 = 0; symbol < DISTANCES; symbol++) {
    const bits = load<u8>(DISTANCE_BITS + symbol) + load<u8>(DISTANCE_EXTRA + symbol)
    cost += <u64>load<u32>(at(DISTANCE_COUNTS, symbol)) * bits
  }
  return cost
}

function writeStored(start: usize, end: usize, isLast: boolean): void {
  for (let from = start; from < end; from += MOST_STORED) {
    const size = min(MOST_STORED, end - from)
    putStored(from, size, isLast && from + size === end)
  }
}

/** RFC 1951, 3.2.7. */
function writeHeader(isLast: boolean): void {
  let literals = LITERALS
  while (load<u8>(LITERAL_BITS + literals - 1) === 0) literals--
  let distances = DISTANCES
  while (distances > 1 && load<u8>(DISTANCE_BITS + distances - 1) === 0) distances--
  // Runs go on from one list into the other.
  memory.copy(LITERAL_BITS + literals, DISTANCE_BITS, distances)
  const runsEnd = findRuns(literals + distances)
  // The code lengths are all in the runs now: their place is free.
  const precodeBits = LITERAL_BITS
  makeLengths(PRECODE_COUNTS, PRECODES, PRECODE_LIMIT, precodeBits)
  makeCodes(precodeBits, PRECODES, PRECODE_CODES)
  let precodes = PRECODES
  while (precodes > 4 && load<u8>(precodeBits + load<u8>(PRECODE_ORDER + precodes - 1)) === 0) precodes--

  put(isLast ? 5 : 4, 3)
  put(literals - 257, 5)
  put(distances - 1, 5)
  put(precodes - 4, 4)
  for (let index: u32 = 0; index < precodes; index++) {
    flush()
    put(load<u8>(precodeBits + load<u8>(PRECODE_ORDER + index)), 3)
  }
  for (let run = RUNS; run < runsEnd; run += 2) {
    flush()
    const symbol: u32 = load<u16>(run) & 31
    const code = load<u32>(at(PRECODE_CODES, symbol))
    put(code >> 8, code & 255)
    if (symbol >= 16) put(load<u16>(run) >> 5, symbol === 16 ? 2 : symbol === 17 ? 3 : 7)
  }
  flush()
}

/** Puts code lengths as runs, and counts the symbols of these. Returns where the runs end. */
function findRuns(lengths: u32): usize {
  memory.fill(PRECODE_COUNTS, 0, PRECODES * 4)
  let to = RUNS
  let index: u32 = 0
  while (index < lengths) {
    const length: u32 = load<u8>(LITERAL_BITS + index)
    let count: u32 = 1
    while (index + count < lengths && load<u8>(LITERAL_BITS + index + count) === length) count++
    index += count
    if (length !== 0) {
      to = addRun(to, length, 0)
      count--
    }
    while (count >= 3) {
      const longest: u32 = length === 0 ? 138 : 6
      const taken = min(count, longest)
      if (length !== 0) to = addRun(to, 16, taken - 3)
      else to = taken <= 10 ? addRun(to, 17, taken - 3) : addRun(to, 18, taken - 11)
      count -= taken
    }
    for (; count > 0; count--) to = addRun(to, length, 0)
  }
  return to
}

function addRun(to: usize, symbol: u32, extra: u32): usize {
  increment(PRECODE_COUNTS, symbol)
  store<u16>(to, <u16>(symbol | (extra << 5)))
  return to + 2
}

/** Joins the code of each length of a match with its extra bits. */
function makeLengthCodes(): void {
  for (let length: u32 = 3; length <= 258; length++) {
    const symbol: u32 = load<u8>(LENGTH_SYMBOLS + length)
    const code = load<u32>(at(LITERAL_CODES, 257 + symbol))
    const bits = code & 255
    const extra = length - load<u16>(LENGTH_BASE + (symbol << 1))
    const joined = (code >> 8) | (extra << bits)
    store<u32>(at(LENGTH_CODES, length), (joined << 8) | (bits + load<u8>(LENGTH_EXTRA + symbol)))
  }
}

/**
 * Writes what the block consists of. The bit writer is in local variables here. Its count may have anything above its
 * low 6 bits, which shifts don't look at: a code is added with what stands above its length.
 */
function writeSequences(start: usize): void {
  let place = output
  let bits = pending
  let count = pendingCount
  let literal = start
  for (let sequence = SEQUENCES; ; sequence += 8) {
    const value = load<u64>(sequence)
    const literalsEnd = literal + (<usize>value & 0xfffff)
    while (literal + 4 <= literalsEnd) {
      const four = load<u32>(literal)
      const code1 = literalCode(four)
      const code2 = literalCode(four >> 8)
      const code3 = literalCode(four >> 16)
      const code4 = literalCode(four >> 24)
      bits |= (code1 >> 8) << count
      count += code1
      bits |= (code2 >> 8) << count
      count += code2
      bits |= (code3 >> 8) << count
      count += code3
      bits |= (code4 >> 8) << count
      count += code4
      store<u64>(place, bits)
      place += <usize>(count & 63) >> 3
      bits >>= count & 56
      count &= 7
      literal += 4
    }
    // How many are left is hard to foresee: no branch depends on it.
    const left = <u32>(literalsEnd - literal)
    const three = load<u32>(literal)
    const code1 = select<u64>(literalCode(three), 0, left > 0)
    const code2 = select<u64>(literalCode(three >> 8), 0, left > 1)
    const code3 = select<u64>(literalCode(three >> 16), 0, left > 2)
    bits |= (code1 >> 8) << count
    count += code1
    bits |= (code2 >> 8) << count
    count += code2
    bits |= (code3 >> 8) << count
    count += code3
    literal = literalsEnd
    store<u64>(place, bits)
    place += <usize>(count & 63) >> 3
    bits >>= count & 56
    count &= 7
    if (sequence === sequencesEnd) break
    const length = <u32>(value >> 20) & 511
    const symbol = <u32>(value >> 29) & 31
    const lengthCode = <u64>load<u32>(length << 2, LENGTH_CODES)
    bits |= (lengthCode >> 8) << count
    count += lengthCode
    const distanceCode = <u64>load<u32>(symbol << 2, DISTANCE_CODES)
    bits |= (distanceCode >> 8) << count
    count += distanceCode
    bits |= (value >> 34) << count
    count += load<u8>(symbol, DISTANCE_EXTRA)
    store<u64>(place, bits)
    place += <usize>(count & 63) >> 3
    bits >>= count & 56
    count &= 7
    literal += length
  }
  resume(place, bits, count)
  const code = load<u32>(at(LITERAL_CODES, <u32>END_OF_BLOCK))
  put(code >> 8, code & 255)
  flush()
}

/** The code of the literal in the low byte, with its length. */
function literalCode(bytes: u32): u64 {
  return <u64>load<u32>((bytes & 255) << 2, LITERAL_CODES)
}
