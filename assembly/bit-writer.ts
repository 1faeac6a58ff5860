// Deflate's bit stream (RFC 1951, 3.1.1): bits fill each byte from its lowest on.

import { OUTPUT } from './memory-map'

/** Where the next whole byte goes. */
export let output: usize = OUTPUT
/** Bits that are no whole byte yet, and how many: fewer than 8 after each flush. */
export let pending: u64 = 0
export let pendingCount: u64 = 0

export function restart(): void {
  resume(OUTPUT, 0, 0)
}

/** Sets the writer to where a loop that had it in its own variables came to. */
export function resume(place: usize, bits: u64, count: u64): void {
  output = place
  pending = bits
  pendingCount = count
}

/** Appends bits; at most 56 of them between two flushes. */
export function put(value: u64, count: u64): void {
  pending |= value << pendingCount
  pendingCount += count
}

/** Writes out whole bytes. */
export function flush(): void {
  store<u64>(output, pending)
  output += <usize>(pendingCount >> 3)
  pending >>= pendingCount & 56
  pendingCount &= 7
}

/** Fills the last byte with zeros. */
export function align(): void {
  flush()
  if (pendingCount > 0) store<u8>(output++, <u8>pending)
  pending = 0
  pendingCount = 0
}

/** A stored block's bytes (RFC 1951, 3.2.4), at most 65,535 of them; none make what is called a sync flush. */
export function putStored(from: usize, size: usize, isLast: boolean): void {
  put(isLast ? 1 : 0, 3)
  align()
  store<u16>(output, <u16>size)
  store<u16>(output + 2, <u16>~size)
  memory.copy(output + 4, from, size)
  output += 4 + size
}
