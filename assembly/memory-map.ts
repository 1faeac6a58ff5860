// Where everything is in the module's memory, and the tables of RFC 1951. There is no allocator: each thing has its place.

/** How far back a match can be. */
export const WINDOW_SIZE: usize = 32 * 1024
/** The most that one call compresses. */
export const BLOCK_SIZE: usize = 1024 * 1024

/** Literals and lengths: 256 bytes, the end of the block, 29 lengths. */
export const LITERALS: u32 = 286
export const END_OF_BLOCK: usize = 256
export const DISTANCES: u32 = 30
/** The symbols that code lengths are themselves coded with. */
export const PRECODES: u32 = 19

/** The match finder's table has this many bits of hash, and two positions of 16 bits for each. */
export const HASH_BITS: u32 = 14
/** A deflate block ends after this many matches... */
export const MOST_SEQUENCES: usize = 9000
/** ...or this many bytes, so that its codes suit what is in it. */
export const MOST_BYTES: usize = 90_000

// The compiler's own data lies below.
export const HASH_TABLE: usize = 0x1000
export const HASH_TABLE_SIZE: usize = 4 << HASH_BITS
/** How often each symbol comes: u32 each. The two tables are cleared together. */
export const LITERAL_COUNTS: usize = HASH_TABLE + HASH_TABLE_SIZE
export const DISTANCE_COUNTS: usize = LITERAL_COUNTS + 288 * 4
export const PRECODE_COUNTS: usize = DISTANCE_COUNTS + 32 * 4
/** Codes, in the order of the bit stream: u32 with the length in the low byte. */
export const LITERAL_CODES: usize = PRECODE_COUNTS + 32 * 4
export const DISTANCE_CODES: usize = LITERAL_CODES + 288 * 4
export const PRECODE_CODES: usize = DISTANCE_CODES + 32 * 4
/** For each length of a match, the code with its extra bits. */
export const LENGTH_CODES: usize = PRECODE_CODES + 32 * 4
/** The symbol, less 257, of each length from 3 to 258. */
export const LENGTH_SYMBOLS: usize = LENGTH_CODES + 260 * 4
/** The symbol of a distance less 1: of those below 256, then of each 128 above. */
export const DISTANCE_SYMBOLS: usize = LENGTH_SYMBOLS + 264
/** Code lengths in bits, u8 each: literals, then distances. */
export const LITERAL_BITS: usize = DISTANCE_SYMBOLS + 512
export const DISTANCE_BITS: usize = LITERAL_BITS + 288
/** The code lengths as they are written (RFC 1951, 3.2.7): u16, the symbol in the low 5 bits, then its extra bits. */
export const RUNS: usize = LITERAL_BITS + 352
/** Room for making codes. */
export const SORTED: usize = RUNS + 800
export const SORTED_TOO: usize = SORTED + 288 * 4
export const WEIGHTS: usize = SORTED_TOO + 288 * 4
export const TALLY: usize = WEIGHTS + 288 * 4
/** What the block consists of: u64 each; see match-finder.ts. */
export const SEQUENCES: usize = TALLY + 256 * 4
/** The dictionary lies right before the input; what reads ahead finds 16 bytes after it. */
export const INPUT: usize = ((SEQUENCES + MOST_SEQUENCES * 8 + 127) & ~63) + WINDOW_SIZE
export const OUTPUT: usize = INPUT + BLOCK_SIZE + 64
/** Incompressible bytes grow by 10 in 90,000. */
const OUTPUT_SIZE: usize = BLOCK_SIZE + 32 * 1024

export const LENGTH_BASE: usize = memory.data<u16>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
])
export const LENGTH_EXTRA: usize = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
])
export const DISTANCE_BASE: usize = memory.data<u16>([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
  6145, 8193, 12289, 16385, 24577,
])
export const DISTANCE_EXTRA: usize = memory.data<u8>([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
])
/** The order in which the lengths of the precode are written. */
export const PRECODE_ORDER: usize = memory.data<u8>([
  16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
])

/**
 * Fills the tables that never change. Called by each instance, before anything else: several threads, in turns, have an
 * instance with the same memory.
 */
export function prepareMemory(): void {
  if ((<usize>memory.size()) << 16 < OUTPUT + OUTPUT_SIZE) unreachable()
  for (let symbol: u32 = 0; symbol < 29; symbol++) {
    // The last symbol is the length 258 alone, which the one before it would reach.
    const end: u32 = symbol >= 27 ? symbol + 231 : load<u16>(LENGTH_BASE + ((symbol + 1) << 1))
    for (let length: u32 = load<u16>(LENGTH_BASE + (symbol << 1)); length < end; length++) {
      store<u8>(LENGTH_SYMBOLS + length, symbol)
    }
  }
  let symbol: u32 = 0
  for (let less1: u32 = 0; less1 < <u32>WINDOW_SIZE; less1++) {
    if (symbol < 29 && load<u16>(DISTANCE_BASE + ((symbol + 1) << 1)) === less1 + 1) symbol++
    store<u8>(distanceSymbolAt(less1), symbol)
  }
}

/** Where the symbol of a distance less 1 is. */
export function distanceSymbolAt(less1: u32): usize {
  const index: u32 = less1 < 256 ? less1 : (less1 >> 7) + 256
  return DISTANCE_SYMBOLS + <usize>index
}

/** The u32 of a table at an index. */
export function at(table: usize, index: u32): usize {
  return table + ((<usize>index) << 2)
}

export function increment(table: usize, index: u32): void {
  const place = at(table, index)
  store<u32>(place, load<u32>(place) + 1)
}
