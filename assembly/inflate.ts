// The decompressor for layers: gzip (RFC 1952) of one member or several. It refuses what zlib refuses. It stops where its
// input ends or an output is full, and goes on there with the next call.
//
// Compiled to WebAssembly by scripts/deflate.js.

import {
  align,
  backToMark,
  giveBack,
  input,
  inputEnd,
  lacks,
  mark,
  setInput,
  startInput,
  take,
  useInput,
} from './bit-reader'
import { prepareEntries, readCodes, useFixedCodes } from './code-lengths'
import { DONE, readHeader, startHeader, WRONG } from './gzip-header'
import { INPUT_SIZE, INPUTS, inputAt, OUTPUT_SIZE, OUTPUTS, outputAt, WINDOW_SIZE } from './inflate-map'
import { BLOCK_ENDED, decode, INPUT_ENDED, NO_CODE, OUTPUT_ENDED, output, setOutput } from './sequences'

prepareEntries()

export { inputAt, output, outputAt, useInput }
export const inputs: usize = INPUTS
export const inputSize: usize = INPUT_SIZE
export const outputs: usize = OUTPUTS
export const outputSize: usize = OUTPUT_SIZE

/** What a call came to. */
const NEEDS_INPUT: i32 = 0
const OUTPUT_FULL: i32 = 1
/** A member has ended, whose size was right; {@link checksum} tells its CRC-32. */
const MEMBER_ENDED: i32 = 2
/** Nothing that counts comes any more: zeros are padding. */
const ENDED: i32 = 3
const BAD_HEADER: i32 = -1
const BAD_BLOCK: i32 = -2
const BAD_STORED: i32 = -3
const BAD_CODES: i32 = -4
const BAD_SYMBOL: i32 = -5
const BAD_DISTANCE: i32 = -6
const BAD_SIZE: i32 = -7

/** What comes next in the input. */
const HEADER = 0
const BLOCK = 1
const STORED = 2
const CODED = 3
const TRAILER = 4
const MEMBER = 5
let phase: i32 = HEADER

let isLastBlock: bool = false
let storedLeft: u32 = 0
let outputLimit: usize = 0
/** Where the oldest byte is that a match may begin with. */
let lowest: usize = 0
/** Where the member's output begins, as if everything before this output lay right before it; as 32 bits it tells its size. */
let memberStart: usize = 0

/** What the last member's bytes should have as CRC-32. */
export let checksum: u32 = 0

/** Begins with another stream, and with the first output, of which so many bytes are used. */
export function start(first: usize): void {
  startInput()
  startHeader()
  phase = HEADER
  const place = outputAt(0)
  setOutput(place)
  lowest = place
  memberStart = place
  outputLimit = place + first
}

/** Goes on in another output, which begins with what went beyond the end of the one before. */
export function useOutput(index: usize): void {
  const place = outputAt(index) + (output - outputLimit)
  const size = min(output - lowest, WINDOW_SIZE)
  memory.copy(place - size, output - size, size)
  memberStart += place - output
  lowest = place - size
  setOutput(place)
  outputLimit = outputAt(index) + OUTPUT_SIZE
}

/** Of a part: the next one comes. */
const GOES_ON: i32 = 99

/** Decompresses until something is to be done outside. */
export function inflate(): i32 {
  let status = GOES_ON
  while (status === GOES_ON) status = inflatePart()
  return status
}

function inflatePart(): i32 {
  if (phase === CODED) return readCoded()
  if (phase === STORED) return readStored()
  if (phase === BLOCK) return startBlock()
  if (phase === HEADER) return readMemberHeader()
  if (phase === TRAILER) return readTrailer()
  return startMember()
}

function readMemberHeader(): i32 {
  const status = readHeader()
  if (status === WRONG) return BAD_HEADER
  if (status !== DONE) return NEEDS_INPUT
  phase = BLOCK
  lowest = output
  memberStart = output
  return GOES_ON
}

function startBlock(): i32 {
  mark()
  isLastBlock = take(1) !== 0
  const kind = take(2)
  let isRight = kind !== 3
  if (kind === 0 && !lacks) {
    align()
    const size = take(16)
    isRight = take(16) === (~size & 0xffff) || lacks
    storedLeft = size
    phase = STORED
  } else if (kind === 1) useFixedCodes()
  else if (kind === 2) isRight = readCodes()
  if (!isRight) return kind === 0 ? BAD_STORED : kind === 2 ? BAD_CODES : BAD_BLOCK
  if (lacks) {
    phase = BLOCK
    backToMark()
    return NEEDS_INPUT
  }
  if (kind === 0) giveBack()
  else phase = CODED
  return GOES_ON
}

function readStored(): i32 {
  while (storedLeft > 0) {
    if (output >= outputLimit) return OUTPUT_FULL
    if (input === inputEnd) return NEEDS_INPUT
    const size = min(storedLeft, <u32>min(inputEnd - input, outputLimit - output))
    memory.copy(output, input, size)
    setInput(input + size, 0, 0)
    setOutput(output + size)
    storedLeft -= size
  }
  endBlock()
  return GOES_ON
}

function readCoded(): i32 {
  const status = decode(outputLimit, lowest)
  if (status === OUTPUT_ENDED) return OUTPUT_FULL
  if (status === INPUT_ENDED) return NEEDS_INPUT
  if (status !== BLOCK_ENDED) return status === NO_CODE ? BAD_SYMBOL : BAD_DISTANCE
  endBlock()
  return GOES_ON
}

function endBlock(): void {
  phase = isLastBlock ? TRAILER : BLOCK
}

function readTrailer(): i32 {
  align()
  mark()
  const crc = take(16) | (take(16) << 16)
  const size = take(16) | (take(16) << 16)
  if (lacks) {
    backToMark()
    return NEEDS_INPUT
  }
  giveBack()
  if (size !== <u32>(output - memberStart)) return BAD_SIZE
  checksum = crc
  phase = MEMBER
  return MEMBER_ENDED
}

/** Whether the stream may end here: after a member. */
export function isBetween(): bool {
  return phase === MEMBER
}

function startMember(): i32 {
  if (input === inputEnd) return NEEDS_INPUT
  if (load<u8>(input) === 0) return ENDED
  startHeader()
  phase = HEADER
  return GOES_ON
}
