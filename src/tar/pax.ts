import { HeaderProblem, type NameEncoding } from './header.js'

/** What the records of a PAX header replace in the next member's header. */
export interface PaxOverrides {
  path?: string
  linkpath?: string
  /** In bytes; beyond 2^53 it is infinity. */
  size?: number
  /** A sparse file in one of the PAX formats, which we don't expand. */
  sparse?: true
}

/** Everything that a PAX header says: what we know to apply, and each record as it stands there. */
export interface PaxHeader {
  overrides: PaxOverrides
  /** The last value of each key; an empty one is left out. */
  records: ReadonlyMap<string, string>
}

/**
 * Reads the records of an extended header: `length key=value\n`, one after another
 * (POSIX.1-2017 pax, "pax Extended Header"). Unknown keys and odd values of keys that don't matter here pass.
 *
 * @throws HeaderProblem when a record is malformed or its length runs past the header (rule R227)
 */
export function parsePax(body: Uint8Array): PaxOverrides {
  return parsePaxHeader(body, 'utf8').overrides
}

/**
 * As {@link parsePax}, with all records.
 *
 * @param encoding of keys and values; `latin1` keeps values that are no text, as those of extended attributes
 */
export function parsePaxHeader(body: Uint8Array, encoding: NameEncoding): PaxHeader {
  const overrides: PaxOverrides = {}
  const records = new Map<string, string>()
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  let at = 0
  while (at < bytes.length && bytes[at] !== 0) {
    const space = bytes.indexOf(0x20, at)
    const digits = space < 0 ? '' : bytes.toString('latin1', at, Math.min(space, at + 12))
    const end = at + Number.parseInt(digits, 10)
    if (!/^[0-9]+$/.test(digits) || end > bytes.length || end <= space || bytes[end - 1] !== 0x0a) {
      throw new HeaderProblem('a PAX record has a wrong length')
    }
    const equals = bytes.indexOf(0x3d, space)
    if (equals < 0 || equals >= end) throw new HeaderProblem('a PAX record has no value')
    const key = bytes.toString(encoding, space + 1, equals)
    const value = bytes.toString(encoding, equals + 1, end - 1)
    if (value === '') records.delete(key)
    else records.set(key, value)
    apply(overrides, key, value)
    at = end
  }
  return { overrides, records }
}

function apply(overrides: PaxOverrides, key: string, value: string): void {
  // An empty value takes an earlier one back.
  if (key === 'path' && value !== '') overrides.path = value
  if (key === 'linkpath' && value !== '') overrides.linkpath = value
  if (key === 'size' && value !== '') overrides.size = parseSize(value)
  if (key.startsWith('GNU.sparse.')) overrides.sparse = true
}

function parseSize(value: string): number {
  if (!/^[0-9]+$/.test(value)) throw new HeaderProblem('a PAX size is no number')
  const size = Number(value)
  return Number.isSafeInteger(size) ? size : Number.POSITIVE_INFINITY
}
