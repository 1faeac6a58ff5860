// The input, and deflate's bit stream in it (RFC 1951, 3.1.1): bits fill each byte from its lowest on.

import { inputAt } from './inflate-map'

/** The next byte that is not among the bits, and the end of what is there. */
export let input: usize = 0
export let inputEnd: usize = 0
/** Bits that were taken from the input already, and how many; those above are zeros. */
export let bits: u64 = 0
export let bitCount: u32 = 0
/** Whether more bits were taken than were there. */
export let lacks: bool = false

let markedInput: usize = 0
let markedBits: u64 = 0
let markedCount: u32 = 0

/** Goes on with the next input, behind what is left of the one before. */
export function useInput(index: usize, size: usize): void {
  giveBack()
  const left = inputEnd - input
  const place = inputAt(index)
  memory.copy(place - left, input, left)
  input = place - left
  inputEnd = place + size
}

/** Begins without input. */
export function startInput(): void {
  setInput(inputAt(0), 0, 0)
  inputEnd = input
  lacks = false
}

/** Sets the reader to where a loop that had it in its own variables came to. */
export function setInput(place: usize, left: u64, count: u32): void {
  input = place
  bitCount = count
  bits = left & (((<u64>1) << (<u64>count)) - 1)
}

/** Makes the bits at least 56, as long as there is input. */
export function refill(): void {
  while (bitCount < 56 && input < inputEnd) {
    bits |= (<u64>load<u8>(input++)) << (<u64>bitCount)
    bitCount += 8
  }
}

/** Takes up to 16 bits. */
export function take(count: u32): u32 {
  if (bitCount < count) refill()
  if (bitCount < count) {
    lacks = true
    return 0
  }
  const value = <u32>bits & ((1 << count) - 1)
  bits >>= <u64>count
  bitCount -= count
  return value
}

/** Makes whole bytes of the bits input again. */
export function giveBack(): void {
  setInput(input - (bitCount >> 3), bits, bitCount & 7)
}

/** Goes on with the next whole byte. */
export function align(): void {
  setInput(input - (bitCount >> 3), 0, 0)
}

/** Remembers where the reader is, to come back when what follows is not all there. */
export function mark(): void {
  markedInput = input
  markedBits = bits
  markedCount = bitCount
}

export function backToMark(): void {
  setInput(markedInput, markedBits, markedCount)
  lacks = false
}
