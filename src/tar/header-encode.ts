import { BLOCK_SIZE, type NameEncoding } from './header.js'

/** What the header of a written member says. Fields that are left out are 0 or empty. */
export interface HeaderFields {
  name: string
  /** `0` a file, `1` a hard link, `2` a symlink, `3` and `4` devices, `5` a directory, `6` a fifo, `x` a PAX header. */
  type: string
  mode: number
  size: number
  linkName?: string
  uid?: number
  gid?: number
  userName?: string
  groupName?: string
  /** Seconds since 1970 as a decimal number, perhaps negative or with a fraction. */
  mtime?: string
  devMajor?: number
  devMinor?: number
  /** Further PAX records. */
  records?: ReadonlyMap<string, string>
  /** Of all the text. Default: `utf8`; `latin1` has one character for each byte. */
  encoding?: NameEncoding
}

/** The first size, in bytes, that eleven octal digits cannot hold: 8 GiB. */
const SIZE_LIMIT = 8 ** 11
/** The first owner or device number that seven octal digits cannot hold. */
const OWNER_LIMIT = 8 ** 7

/**
 * The header of a member, in the ustar format, with a PAX header before it where ustar has no room
 * (POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header").
 */
export function encodeHeaders(fields: HeaderFields): Buffer {
  const { uid = 0, gid = 0, linkName = '', userName = '', groupName = '', mtime = '0' } = fields
  const records: Buffer[] = []
  const add = (key: string, value: string) => records.push(record(key, value, fields.encoding))
  const place = placeName(fields.name)
  if (place === undefined) add('path', fields.name)
  if (!fits(linkName, 100)) add('linkpath', linkName)
  if (fields.size >= SIZE_LIMIT) add('size', `${fields.size}`)
  if (uid >= OWNER_LIMIT) add('uid', `${uid}`)
  if (gid >= OWNER_LIMIT) add('gid', `${gid}`)
  if (!fits(userName, 31)) add('uname', userName)
  if (!fits(groupName, 31)) add('gname', groupName)
  if (!isPlainTime(mtime)) add('mtime', mtime)
  for (const [key, value] of fields.records ?? []) add(key, value)
  const header = encodeBlock(
    {
      ...fields,
      size: fields.size >= SIZE_LIMIT ? 0 : fields.size,
      linkName: shortened(linkName, 100),
      uid: uid >= OWNER_LIMIT ? 0 : uid,
      gid: gid >= OWNER_LIMIT ? 0 : gid,
      userName: shortened(userName, 31),
      groupName: shortened(groupName, 31),
      mtime: isPlainTime(mtime) ? mtime : '0',
    },
    place ?? { name: shortened(fields.name, 100), prefix: '' },
  )
  if (records.length === 0) return header
  const body = Buffer.concat(records)
  const pax = encodeBlock(
    { name: '', type: 'x', mode: 0o644, size: body.length },
    { name: 'PaxHeader', prefix: '' },
  )
  return Buffer.concat([pax, body, paddingOf(body.length), header])
}

/** The zeros that fill the last block of a body of this many bytes. */
export function paddingOf(size: number): Buffer {
  return Buffer.alloc((BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE)
}

/** How a name fits into the two fields of ustar. Undefined when it does not, or is not ASCII. */
function placeName(name: string): { name: string; prefix: string } | undefined {
  if (!isAscii(name)) return undefined
  if (name.length <= 100) return { name, prefix: '' }
  for (let slash = name.indexOf('/'); slash >= 0 && slash <= 155; slash = name.indexOf('/', slash + 1)) {
    const rest = name.slice(slash + 1)
    if (slash > 0 && rest.length > 0 && rest.length <= 100)
      return { name: rest, prefix: name.slice(0, slash) }
  }
  return undefined
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text)
}

function fits(text: string, length: number): boolean {
  return text.length <= length && isAscii(text)
}

/** Whether a time is whole seconds that eleven octal digits hold. */
function isPlainTime(mtime: string): boolean {
  return /^[0-9]+$/.test(mtime) && Number(mtime) < SIZE_LIMIT
}

/** What stands in a field when the text is in a PAX record: for readers that know no PAX. */
function shortened(text: string, length: number): string {
  return text.replace(/[^\x20-\x7e]/g, '_').slice(0, length)
}

function encodeBlock(fields: HeaderFields, place: { name: string; prefix: string }): Buffer {
  const block = Buffer.alloc(BLOCK_SIZE)
  block.write(place.name, 0, 100, 'latin1')
  block.write(octal(fields.mode, 7), 100, 'latin1')
  block.write(octal(fields.uid ?? 0, 7), 108, 'latin1')
  block.write(octal(fields.gid ?? 0, 7), 116, 'latin1')
  block.write(octal(fields.size, 11), 124, 'latin1')
  block.write(octal(Number(fields.mtime ?? 0), 11), 136, 'latin1')
  block.write(' '.repeat(8), 148, 'latin1')
  block.write(fields.type, 156, 'latin1')
  block.write(fields.linkName ?? '', 157, 100, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write(fields.userName ?? '', 265, 'latin1')
  block.write(fields.groupName ?? '', 297, 'latin1')
  if (fields.type === '3' || fields.type === '4') {
    block.write(octal(fields.devMajor ?? 0, 7), 329, 'latin1')
    block.write(octal(fields.devMinor ?? 0, 7), 337, 'latin1')
  }
  block.write(place.prefix, 345, 155, 'latin1')
  let checksum = 0
  for (const byte of block) checksum += byte
  block.write(`${octal(checksum, 6)}\0 `, 148, 'latin1')
  return block
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

/** `length key=value\n`, where the length counts its own digits too. */
function record(key: string, value: string, encoding: NameEncoding = 'utf8'): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`, encoding)
  let length = rest.length + 1
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length
  return Buffer.concat([Buffer.from(`${length}`), rest])
}
