import { HeaderProblem, parseNumber, text } from './header.js'

/** What a tar says of a member besides its name and content. All text has one character for each byte (latin1). */
export interface MemberAttributes {
  /** The type flag as a character; `0` also for the NUL that old archives have. */
  flag: string
  /** The twelve bits of permission, with setuid, setgid and sticky. */
  mode: number
  uid: number
  gid: number
  userName: string
  groupName: string
  /** Seconds since 1970 as a decimal number, perhaps negative or with a fraction: `1700000000`, `-1.5`. */
  mtime: string
  /** Of a device; 0 for everything else. */
  devMajor: number
  devMinor: number
  /** PAX records of extended attributes, access lists and the like, which only pass through. */
  records: ReadonlyMap<string, string>
}

/** Whose PAX records say something of the file itself, not of how it was archived. */
const KEPT_RECORDS = /^(?:SCHILY\.(?:xattr|acl|fflags)|LIBARCHIVE\.xattr|RHT\.security|MSWINDOWS)(?:\.|$)/

/**
 * Reads the rest of a header, with the PAX records that override it.
 *
 * @throws HeaderProblem when a number is none
 */
export function attributesOf(block: Uint8Array, records: ReadonlyMap<string, string>): MemberAttributes {
  const flag = block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0)
  const isUstar = text(block, 257, 5, 'latin1') === 'ustar'
  const isDevice = isUstar && (flag === '3' || flag === '4')
  const field = (start: number, length: number, what: string) =>
    parseNumber(block.subarray(start, start + length), what)
  return {
    flag,
    mode: field(100, 8, 'mode') & 0o7777,
    uid: ownerOf(records.get('uid')) ?? field(108, 8, 'user'),
    gid: ownerOf(records.get('gid')) ?? field(116, 8, 'group'),
    userName: records.get('uname') ?? (isUstar ? text(block, 265, 32, 'latin1') : ''),
    groupName: records.get('gname') ?? (isUstar ? text(block, 297, 32, 'latin1') : ''),
    mtime: timeOf(records.get('mtime')) ?? headerTime(block.subarray(136, 148)),
    devMajor: isDevice ? deviceNumber(field(329, 8, 'device number')) : 0,
    devMinor: isDevice ? deviceNumber(field(337, 8, 'device number')) : 0,
    records: keptRecords(records),
  }
}

const NO_RECORDS: ReadonlyMap<string, string> = new Map()

function keptRecords(records: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const kept = [...records].filter(([key]) => KEPT_RECORDS.test(key))
  return kept.length === 0 ? NO_RECORDS : new Map(kept)
}

/** No system has numbers that need more than the seven digits of a header. */
function deviceNumber(value: number): number {
  if (value < 8 ** 7) return value
  throw new HeaderProblem('a device number is impossibly large')
}

function ownerOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (/^[0-9]+$/.test(value) && Number.isSafeInteger(number)) return number
  throw new HeaderProblem('a PAX owner is no number')
}

/** One way to write each time: no zeros at the front, nor at the end of a fraction. */
function timeOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  const match = /^(-?)0*([0-9]{1,18})(?:\.([0-9]*?)0*)?$/.exec(value)
  if (match === null) throw new HeaderProblem('a PAX time is no number')
  const [, sign = '', seconds = '0', fraction = ''] = match
  const magnitude = fraction === '' ? seconds : `${seconds}.${fraction}`
  return /^0(?:\.0*)?$/.test(magnitude) ? '0' : `${sign}${magnitude}`
}

/** Octal, or a number of 12 bytes in two's complement, as GNU tar writes times before 1970. */
function headerTime(field: Uint8Array): string {
  if ((field[0] ?? 0) < 0xc0) return `${parseNumber(field, 'time')}`
  let value = -1n
  for (const byte of field) value = value * 256n + BigInt(byte)
  if (value < BigInt(Number.MIN_SAFE_INTEGER)) throw new HeaderProblem('a time is impossibly early')
  return `${value}`
}
