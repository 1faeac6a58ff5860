// Where everything is in the memory of the decompressor, which is shared between the threads that fill and empty it.

/** How far back a match can be. */
export const WINDOW_SIZE: usize = 32 * 1024

/** The first level of each table is found by so many bits. */
export const LITERAL_TABLE_BITS: u32 = 11
export const DISTANCE_TABLE_BITS: u32 = 9
export const PRECODE_TABLE_BITS: u32 = 7
/** Longest code (RFC 1951, 3.2.7). */
export const MOST_BITS: u32 = 15

// The compiler's own data lies below.
/** Code lengths, u8 each: literals and distances, one after the other; a run may not go beyond, but 16 bytes are cleared. */
export const LENGTHS: usize = 0x1000
export const PRECODE_LENGTHS: usize = LENGTHS + 352
/** How many codes have each length, and where the next symbol of each goes: u32 each. */
export const COUNTS: usize = PRECODE_LENGTHS + 32
export const PLACES: usize = COUNTS + 16 * 4
/** Symbols in the order of their codes: u16. */
export const SORTED: usize = PLACES + 16 * 4
/** Tables of u32; behind each first level is room for every second one that there can be. */
export const PRECODE_TABLE: usize = SORTED + 320 * 2
export const LITERAL_TABLE: usize = PRECODE_TABLE + (4 << PRECODE_TABLE_BITS)
export const DISTANCE_TABLE: usize =
  LITERAL_TABLE + (4 << LITERAL_TABLE_BITS) + 288 * (4 << (MOST_BITS - LITERAL_TABLE_BITS))
/** Entries without their lengths in bits, of each symbol: u32. */
export const LITERAL_ENTRIES: usize =
  DISTANCE_TABLE + (4 << DISTANCE_TABLE_BITS) + 32 * (4 << (MOST_BITS - DISTANCE_TABLE_BITS))
export const DISTANCE_ENTRIES: usize = LITERAL_ENTRIES + 288 * 4
export const PRECODE_ENTRIES: usize = DISTANCE_ENTRIES + 32 * 4

/** What comes in goes to one of two places in turns, so that one can be filled while the other is read. */
export const INPUTS: usize = 2
export const INPUT_SIZE: usize = 512 * 1024
/** What is left of one input goes right before the next one: less than the codes of a block can take. */
export const LEFT_SIZE: usize = 4096
const INPUT: usize = (PRECODE_ENTRIES + 19 * 4 + LEFT_SIZE + 63) & ~63
/** From one input to the next; what reads ahead finds some bytes after each. */
const INPUT_STEP: usize = INPUT_SIZE + LEFT_SIZE + 64

/** What is decompressed goes to one of several places, so that one can be filled while others are emptied. */
export const OUTPUTS: usize = 3
export const OUTPUT_SIZE: usize = 1024 * 1024
/** Where writing past the system's cache wants memory to begin, on every system. */
const PAGE_SIZE: usize = 4096
const OUTPUT: usize = (INPUT + INPUTS * INPUT_STEP + WINDOW_SIZE + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1)
/** The last match may go beyond an output's end, and copying in large pieces a little further. */
const OUTPUT_MARGIN: usize = PAGE_SIZE
/** From one output to the next; each has the window before it. */
const OUTPUT_STEP: usize = WINDOW_SIZE + OUTPUT_SIZE + OUTPUT_MARGIN

/** Where an input begins. */
export function inputAt(index: usize): usize {
  return INPUT + index * INPUT_STEP
}

/** Where an output begins. */
export function outputAt(index: usize): usize {
  return OUTPUT + index * OUTPUT_STEP
}
