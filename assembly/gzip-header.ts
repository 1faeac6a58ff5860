// The header of a gzip member (RFC 1952, 2.3), byte by byte, since parts of it may be of any length.

import { input, inputEnd, take } from './bit-reader'

const HAS_CHECKSUM: u32 = 2
const HAS_EXTRA: u32 = 4
const HAS_NAME: u32 = 8
const HAS_COMMENT: u32 = 16
const UNKNOWN_FLAGS: u32 = 0xe0

/** How far a header has been read. */
export const MORE: i32 = 0
export const DONE: i32 = 1
export const WRONG: i32 = 2

/** Bytes of the fixed part, of which so many were read. */
const FIXED_BYTES: u32 = 10
let fixed: u32 = 0
let flags: u32 = 0
let extraLength: u32 = 0
let extraRead: u32 = 0
let checksumRead: u32 = 0
let crc: u32 = 0

export function startHeader(): void {
  fixed = 0
  extraLength = 0
  extraRead = 0
  checksumRead = 0
  crc = ~0
}

/** Reads on. The reader is at a whole byte. */
export function readHeader(): i32 {
  while (fixed < FIXED_BYTES) {
    if (input === inputEnd) return MORE
    const byte = next()
    if (fixed === 0 && byte !== 0x1f) return WRONG
    if (fixed === 1 && byte !== 0x8b) return WRONG
    // There is one method: deflate.
    if (fixed === 2 && byte !== 8) return WRONG
    if (fixed === 3) flags = byte
    if (fixed === 3 && (byte & UNKNOWN_FLAGS) !== 0) return WRONG
    fixed++
  }
  while ((flags & HAS_EXTRA) !== 0) {
    if (extraRead === extraLength + 2) flags &= ~HAS_EXTRA
    else if (input === inputEnd) return MORE
    else {
      const byte = next()
      if (extraRead < 2) extraLength |= byte << (extraRead << 3)
      extraRead++
    }
  }
  while ((flags & (HAS_NAME | HAS_COMMENT)) !== 0) {
    if (input === inputEnd) return MORE
    // The name comes first. Each ends with a zero.
    if (next() === 0) flags &= (flags & HAS_NAME) !== 0 ? ~HAS_NAME : ~HAS_COMMENT
  }
  if ((flags & HAS_CHECKSUM) === 0) return DONE
  const expected = ~crc & 0xffff
  while (checksumRead < 2) {
    if (input === inputEnd) return MORE
    if (take(8) !== ((expected >> (checksumRead << 3)) & 0xff)) return WRONG
    checksumRead++
  }
  return DONE
}

/** A byte, counted into the checksum: a header is so short that no table is worth it. */
function next(): u32 {
  const byte = take(8)
  crc ^= byte
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >> 1) ^ 0xedb88320 : crc >> 1
  return byte
}
