import { crc32 } from 'node:zlib'
import { ChunkReader } from './chunk-reader.js'

/** A block of an xz file has been read to its end: this many bytes of output, and what their SHA-256 must be. */
export type BlockEnd = (size: number, sha256: Buffer | undefined) => void

const MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])
/** Bytes of the check after each block, by the type in the stream's flags (The .xz File Format, 2.1.1.2). */
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64]
const SHA256 = 10
/** The most blocks of a stream: what is remembered of each takes memory. With the usual 24 MiB that is 2.4 TB (rule R226). */
const MAXIMUM_BLOCKS = 100_000
/** None, CRC32 and CRC64: those that the decoder knows. */
const KNOWN_CHECKS = [0, 1, 4]

/**
 * Rewrites an xz file so that the decoder takes it: streams whose blocks have a check that the decoder does not know
 * become streams without one, and the caller is told what the check was. Everything else passes as it is.
 *
 * The compressed data need not be decoded for that, since its chunks say how long they are (LZMA2). Of the other parts, the header,
 * index and footer of a stream change with the kind of check (The .xz File Format, 2 to 4).
 *
 * @throws InputEnded when the file ends inside a stream; Error when its structure is broken
 */
export async function* withKnownChecks(
  input: AsyncIterable<Buffer>,
  blockEnd: BlockEnd,
): AsyncGenerator<Buffer> {
  const reader = new ChunkReader(input)
  for (let next = await reader.peek(4); next.length > 0; next = await reader.peek(4)) {
    // Between streams there may be padding, in fours.
    if (next.length === 4 && next.readUInt32LE() === 0) yield await reader.read(4)
    else yield* stream(reader, blockEnd)
  }
}

async function* stream(reader: ChunkReader, blockEnd: BlockEnd): AsyncGenerator<Buffer> {
  const header = await reader.read(12)
  if (!header.subarray(0, 6).equals(MAGIC)) throw new Error('an xz stream does not begin as one')
  const check = (header[7] ?? 0) & 0x0f
  const isKnown = KNOWN_CHECKS.includes(check)
  const flags = Buffer.from([0, isKnown ? check : 0])
  yield isKnown ? header : Buffer.concat([MAGIC, flags, checksum(flags)])
  const checkSize = CHECK_SIZES[check] ?? 0
  let blocks = 0
  for (let size = (await reader.peek(1))[0]; size !== 0; size = (await reader.peek(1))[0]) {
    blocks++
    if (blocks > MAXIMUM_BLOCKS) throw new Error('an xz stream has too many blocks')
    yield await reader.read(((size ?? 0) + 1) * 4)
    const block = yield* chunks(reader)
    yield await reader.read(-block.stored & 3)
    const value = await reader.read(checkSize)
    if (isKnown) yield value
    blockEnd(block.size, check === SHA256 ? value : undefined)
  }
  const index = await readIndex(reader, blocks)
  const newIndex = isKnown ? index.bytes : makeIndex(index.records, checkSize)
  yield newIndex
  const footer = await reader.read(12)
  yield isKnown ? footer : makeFooter(newIndex, flags)
}

/** The LZMA2 chunks of a block, to the end marker (The .xz File Format, 5.3.1). */
async function* chunks(reader: ChunkReader): AsyncGenerator<Buffer, { size: number; stored: number }> {
  let size = 0
  let stored = 0
  for (;;) {
    const control = (await reader.peek(1))[0] ?? 0
    if (control > 2 && control < 0x80) throw new Error('an LZMA2 chunk is of no known kind')
    const headerSize = control === 0 ? 1 : control < 0x80 ? 3 : control < 0xc0 ? 5 : 6
    const header = await reader.read(headerSize)
    stored += headerSize
    yield header
    if (control === 0) return { size, stored }
    const low = header.readUInt16BE(1) + 1
    const body = await reader.read(control < 0x80 ? low : header.readUInt16BE(3) + 1)
    size += control < 0x80 ? low : ((control & 0x1f) << 16) + low
    stored += body.length
    yield body
  }
}

interface IndexRecord {
  unpaddedSize: number
  size: number
}

async function readIndex(
  reader: ChunkReader,
  blocks: number,
): Promise<{ bytes: Buffer; records: IndexRecord[] }> {
  const parts = [await reader.read(1)]
  const next = async () => {
    const { bytes, value } = await readVariable(reader)
    parts.push(bytes)
    return value
  }
  const records: IndexRecord[] = []
  if ((await next()) !== blocks) throw new Error('the index of an xz stream is for other blocks')
  for (let count = blocks; count > 0; count--) {
    records.push({ unpaddedSize: await next(), size: await next() })
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  parts.push(await reader.read((-length & 3) + 4))
  return { bytes: Buffer.concat(parts), records }
}

function makeIndex(records: readonly IndexRecord[], checkSize: number): Buffer {
  const parts = [Buffer.from([0]), variable(records.length)]
  for (const record of records) parts.push(variable(record.unpaddedSize - checkSize), variable(record.size))
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  parts.push(Buffer.alloc(-length & 3))
  const body = Buffer.concat(parts)
  return Buffer.concat([body, checksum(body)])
}

function makeFooter(index: Buffer, flags: Buffer): Buffer {
  const fields = Buffer.alloc(6)
  fields.writeUInt32LE(index.length / 4 - 1)
  flags.copy(fields, 4)
  return Buffer.concat([checksum(fields), fields, Buffer.from('YZ')])
}

/** Seven bits a byte, the low ones first (The .xz File Format, 1.2). */
async function readVariable(reader: ChunkReader): Promise<{ bytes: Buffer; value: number }> {
  const bytes: number[] = []
  let value = 0
  for (;;) {
    const byte = (await reader.read(1))[0] ?? 0
    value += (byte & 0x7f) * 2 ** (7 * bytes.length)
    bytes.push(byte)
    if (byte < 0x80) return { bytes: Buffer.from(bytes), value }
    if (bytes.length === 9) throw new Error('a number in an xz index is too long')
  }
}

function variable(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Buffer.from([...bytes, rest])
}

function checksum(bytes: Buffer): Buffer {
  const value = Buffer.alloc(4)
  value.writeUInt32LE(crc32(bytes))
  return value
}
