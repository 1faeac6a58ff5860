/**
 * The 512-byte header of a tar member, as POSIX ustar, GNU tar and the old v7 format lay it out
 * (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format").
 * Parsing is strict where a mistake would move us to the wrong place in the archive: the checksum and the size.
 */

/** Every header and every padded body is a multiple of this, in bytes. */
export const BLOCK_SIZE = 512

/** What a header says, before long names and PAX records replace parts of it. */
export interface TarHeader {
  name: string
  /** The type flag as a character; `0` also for the NUL that old archives have. */
  type: string
  linkName: string
  /** Bytes of body that follow the header, before padding. */
  size: number
  /** Old GNU sparse members (type `S`) only. */
  sparse?: GnuSparseStart
}

/** The part of an old GNU sparse map that stands in the header itself. */
export interface GnuSparseStart {
  /** Size of the file once its holes are filled. */
  realSize: number
  extents: SparseExtent[]
  /** Whether blocks with more of the map follow the header. */
  continued: boolean
}

/** A stretch of a sparse file that is not a hole. */
export interface SparseExtent {
  offset: number
  size: number
}

/** How the bytes of names become text. With `latin1`, names that are no UTF-8 stay what they are. */
export type NameEncoding = 'utf8' | 'latin1'

/** Why a header is refused. The caller adds the archive and the position. */
export class HeaderProblem extends Error {}

/** Whether a block is all zeros, which ends an archive. */
export function isZeroBlock(block: Uint8Array): boolean {
  return block.every(byte => byte === 0)
}

/**
 * Whether the start of a file looks like a tar: a header with the right checksum, or the magic of ustar.
 * A cut header is recognised by its magic when that is still there.
 */
export function looksLikeTar(head: Uint8Array): boolean {
  if (head.length >= 262 && ascii(head, 257, 5) === 'ustar') return true
  return head.length >= BLOCK_SIZE && !isZeroBlock(head.subarray(0, BLOCK_SIZE)) && hasRightChecksum(head)
}

/**
 * Parses a header that is not a zero block.
 *
 * @param encoding of the names: UTF-8 by custom; `latin1` keeps every byte of them as one character
 * @throws HeaderProblem when its checksum or its size makes no sense (rule R227)
 */
export function parseHeader(block: Uint8Array, encoding: NameEncoding = 'utf8'): TarHeader {
  if (!hasRightChecksum(block)) throw new HeaderProblem('the checksum of a header is wrong')
  const type = block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0)
  const header: TarHeader = {
    name: memberName(block, type, encoding),
    type: type === '0' && block[156] === 0 && endsWithSlash(block) ? '5' : type,
    linkName: text(block, 157, 100, encoding),
    size: parseNumber(block.subarray(124, 136), 'size'),
  }
  if (type === 'S') header.sparse = parseSparseStart(block)
  return header
}

/** In the v7 format a directory is a regular file whose name ends in a slash. */
function endsWithSlash(block: Uint8Array): boolean {
  return text(block, 0, 100).endsWith('/')
}

function memberName(block: Uint8Array, type: string, encoding: NameEncoding): string {
  const name = text(block, 0, 100, encoding)
  // GNU tar has "ustar " and uses the place of the prefix for other fields.
  const hasPrefix = ascii(block, 257, 6) === 'ustar\0' && type !== 'S'
  const prefix = hasPrefix ? text(block, 345, 155, encoding) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

function hasRightChecksum(block: Uint8Array): boolean {
  const expected = octal(ascii(block, 148, 8))
  if (expected === undefined) return false
  let unsigned = 0
  let signed = 0
  for (let index = 0; index < BLOCK_SIZE; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0)
    unsigned += byte
    // Some old programs summed signed characters.
    signed += byte > 127 ? byte - 256 : byte
  }
  return expected === unsigned || expected === signed
}

/**
 * A number field: octal digits, or base-256 when the first bit is set (GNU).
 *
 * @throws HeaderProblem for anything negative, beyond 2^53 or not octal
 */
export function parseNumber(field: Uint8Array, what: string): number {
  const first = field[0] ?? 0
  if (first >= 0x80) {
    if (first >= 0xc0) throw new HeaderProblem(`a ${what} is negative`)
    let value = BigInt(first & 0x3f)
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new HeaderProblem(`a ${what} is impossibly large`)
    return Number(value)
  }
  const value = octal(ascii(field, 0, field.length))
  if (value === undefined) throw new HeaderProblem(`a ${what} is not an octal number`)
  return value
}

/** Digits with blanks or NULs around; an empty field is 0. */
function octal(field: string): number | undefined {
  const match = /^[\0 ]*([0-7]*)(?:[\0 ].*)?$/s.exec(field)
  if (match === null) return undefined
  return Number.parseInt(match[1] || '0', 8)
}

/** The four extents of the header of an old GNU sparse member (GNU tar manual, "Storing Sparse Files"). */
function parseSparseStart(block: Uint8Array): GnuSparseStart {
  return {
    realSize: parseNumber(block.subarray(483, 495), 'sparse size'),
    extents: parseExtents(block.subarray(386, 482)),
    continued: block[482] !== 0,
  }
}

/** The 21 extents of a block that continues a sparse map, and whether another block follows. */
export function parseSparseBlock(block: Uint8Array): { extents: SparseExtent[]; continued: boolean } {
  return { extents: parseExtents(block.subarray(0, 504)), continued: block[504] !== 0 }
}

function parseExtents(bytes: Uint8Array): SparseExtent[] {
  const extents: SparseExtent[] = []
  for (let at = 0; at + 24 <= bytes.length && bytes[at] !== 0; at += 24) {
    extents.push({
      offset: parseNumber(bytes.subarray(at, at + 12), 'sparse offset'),
      size: parseNumber(bytes.subarray(at + 12, at + 24), 'sparse length'),
    })
  }
  return extents
}

function ascii(bytes: Uint8Array, start: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('latin1')
}

/** A text field up to its NUL. Names are UTF-8 by custom. */
export function text(
  bytes: Uint8Array,
  start: number,
  length: number,
  encoding: NameEncoding = 'utf8',
): string {
  const field = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.min(length, bytes.length - start))
  const end = field.indexOf(0)
  return (end < 0 ? field : field.subarray(0, end)).toString(encoding)
}
