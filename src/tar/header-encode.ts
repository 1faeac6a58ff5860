import { BLOCK_SIZE } from './header.js'

/** What the header of a written member says. The rest is always the same. */
export interface HeaderFields {
  name: string
  /** `0` a file, `5` a directory, `x` a PAX header. */
  type: string
  mode: number
  size: number
}

/** The first size, in bytes, that eleven octal digits cannot hold: 8 GiB. */
const SIZE_LIMIT = 8 ** 11

/**
 * The header of a member, in the ustar format, with a PAX header before it where ustar has no room
 * (POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header").
 */
export function encodeHeaders(fields: HeaderFields): Buffer {
  const records: Buffer[] = []
  const place = placeName(fields.name)
  if (place === undefined) records.push(record('path', fields.name))
  if (fields.size >= SIZE_LIMIT) records.push(record('size', `${fields.size}`))
  const header = encodeBlock(
    { ...fields, size: fields.size >= SIZE_LIMIT ? 0 : fields.size },
    place ?? { name: shortened(fields.name), prefix: '' },
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
  if (!/^[\x20-\x7e]*$/.test(name)) return undefined
  if (name.length <= 100) return { name, prefix: '' }
  for (let slash = name.indexOf('/'); slash >= 0 && slash <= 155; slash = name.indexOf('/', slash + 1)) {
    const rest = name.slice(slash + 1)
    if (slash > 0 && rest.length > 0 && rest.length <= 100)
      return { name: rest, prefix: name.slice(0, slash) }
  }
  return undefined
}

/** What stands in the name's field when the name is in a PAX record: for readers that know no PAX. */
function shortened(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '_').slice(0, 100)
}

function encodeBlock(fields: HeaderFields, place: { name: string; prefix: string }): Buffer {
  const block = Buffer.alloc(BLOCK_SIZE)
  block.write(place.name, 0, 100, 'latin1')
  block.write(octal(fields.mode, 7), 100, 'latin1')
  block.write(octal(0, 7), 108, 'latin1')
  block.write(octal(0, 7), 116, 'latin1')
  block.write(octal(fields.size, 11), 124, 'latin1')
  block.write(octal(0, 11), 136, 'latin1')
  block.write(' '.repeat(8), 148, 'latin1')
  block.write(fields.type, 156, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write(place.prefix, 345, 155, 'latin1')
  const checksum = block.reduce((sum, byte) => sum + byte, 0)
  block.write(`${octal(checksum, 6)}\0 `, 148, 'latin1')
  return block
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

/** `length key=value\n`, where the length counts its own digits too. */
function record(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`)
  let length = rest.length + 1
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length
  return Buffer.concat([Buffer.from(`${length}`), rest])
}
