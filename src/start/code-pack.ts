/** Changes with the format. */
const MAGIC = 0x72636303
/** The magic, the checksum of what follows it, and the length of the table, of which each is a word of this machine. */
const HEADER_BYTES = 12
const CHECKSUM = 1
const TABLE_LENGTH = 2
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
  // Names are ASCII.
  const table = JSON.stringify(entries)
  const start = aligned(HEADER_BYTES + table.length)
  const bytes = Buffer.alloc(start + end)
  bytes.write(table, HEADER_BYTES, 'latin1')
  for (const [name, from] of entries) codes.get(name)?.copy(bytes, start + from)
  const words = wordsOf(bytes)
  words[0] = MAGIC
  words[TABLE_LENGTH] = table.length
  words[CHECKSUM] = checksum(words)
  return bytes
}

/**
 * Takes a pack apart. It is run at each start without ever being compiled, so it calls as little as can be of what Node would
 * have to compile for it.
 *
 * @returns the codes, which share the memory of the pack; none if it is no pack, was cut off or changed
 */
export function unpackCode(bytes: Buffer): ReadonlyMap<string, Buffer> {
  const words = wordsOf(bytes)
  if (words[0] !== MAGIC || words[CHECKSUM] !== checksum(words)) return new Map()
  const tableEnd = HEADER_BYTES + (words[TABLE_LENGTH] ?? 0)
  const start = aligned(tableEnd)
  const table = Reflect.apply(String.fromCharCode, undefined, bytes.subarray(HEADER_BYTES, tableEnd))
  const entries = JSON.parse(table) as Entry[]
  return new Map(
    entries.map(([name, from, length]) => [name, bytes.subarray(start + from, start + from + length)]),
  )
}

/** Of what follows the checksum. Node's own are in modules that take longer to load than this takes. */
function checksum(words: Int32Array): number {
  let sum = words.length
  for (let index = TABLE_LENGTH; index < words.length; index += SAMPLE_WORDS)
    sum = (sum << 5) ^ (sum >>> 27) ^ (index + (words[index] as number))
  return sum
}

function wordsOf(bytes: Buffer): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
}

function aligned(position: number): number {
  return Math.ceil(position / ALIGNMENT) * ALIGNMENT
}
