/** Changes with the format. */
const MAGIC = 'regctl code 2\n\0\0'
/** The magic, the checksum of what follows it, and the length of the table. */
const HEADER_BYTES = MAGIC.length + 8
/** Disks and file systems lose or mix up whole blocks, of 512 bytes at least: one word of each shows that. */
const SAMPLE_WORDS = 128
/** V8 takes its data in place where it begins at such a multiple. */
const ALIGNMENT = 8

/** What the table of a pack says of each code. */
type Entry = [name: string, start: number, length: number]

/** Puts several pieces of compiled code into one file: a header, a table, and the codes. */
export function packCode(codes: ReadonlyMap<string, Buffer>): Buffer {
  const entries: Entry[] = []
  let end = 0
  for (const [name, { length }] of codes) {
    entries.push([name, end, length])
    end = aligned(end + length)
  }
  const table = Buffer.from(JSON.stringify(entries))
  const start = aligned(HEADER_BYTES + table.length)
  const bytes = Buffer.alloc(start + end)
  bytes.write(MAGIC, 'latin1')
  bytes.writeUInt32LE(table.length, MAGIC.length + 4)
  table.copy(bytes, HEADER_BYTES)
  for (const [name, from] of entries) codes.get(name)?.copy(bytes, start + from)
  bytes.writeUInt32LE(checksum(bytes), MAGIC.length)
  return bytes
}

/**
 * Takes a pack apart.
 *
 * @returns the codes, which share the memory of the pack; none if it is no pack, was cut off or changed
 */
export function unpackCode(bytes: Buffer): ReadonlyMap<string, Buffer> {
  const isWhole =
    bytes.length > HEADER_BYTES &&
    bytes.toString('latin1', 0, MAGIC.length) === MAGIC &&
    bytes.readUInt32LE(MAGIC.length) === checksum(bytes)
  if (!isWhole) return new Map()
  const tableEnd = HEADER_BYTES + bytes.readUInt32LE(MAGIC.length + 4)
  const start = aligned(tableEnd)
  const entries = JSON.parse(bytes.toString('utf8', HEADER_BYTES, tableEnd)) as Entry[]
  return new Map(
    entries.map(([name, from, length]) => [name, bytes.subarray(start + from, start + from + length)]),
  )
}

/**
 * Of what follows the checksum. Node's own are in modules that take longer to load than this takes, which is run without ever
 * being compiled: it calls nothing, and its numbers are those that V8 keeps without memory of their own.
 */
function checksum(bytes: Buffer): number {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
  let sum = bytes.length
  // The first words are of the magic, the checksum, and the table's length.
  for (let index = HEADER_BYTES >> 2; index < words.length; index += SAMPLE_WORDS)
    sum = (sum << 5) ^ (sum >>> 27) ^ (index + (words[index] as number))
  return sum >>> 0
}

function aligned(position: number): number {
  return Math.ceil(position / ALIGNMENT) * ALIGNMENT
}
