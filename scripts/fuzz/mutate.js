// Ways to break things.
import { gunzipSync, gzipSync } from 'node:zlib'

const BLOCK = 512
/** Fields of a tar header: where they are and how long. */
const FIELDS = [
  [0, 100],
  [100, 8],
  [124, 12],
  [124, 12],
  [136, 12],
  [156, 1],
  [156, 1],
  [157, 100],
  [257, 8],
  [345, 155],
  [386, 96],
  [482, 1],
  [483, 12],
]
const NUMBERS = [
  '00000000000\0',
  '77777777777\0',
  '00000000001\0',
  '-0000000001\0',
  '\x80\0\0\0\0\0\0\0\0\0\x10\0',
  '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
  '            ',
]
const NAMES = [
  'manifest.json',
  '../../etc/passwd',
  '/etc/passwd',
  './index.json',
  '__proto__',
  'a\\b',
  'C:x',
  '.wh..wh..opq',
  '.wh.',
  'x/'.repeat(49),
  '',
]
const TYPES = [...'0123456789xgLKSDVMZ\0']
const VALUES = [
  'null',
  '-1',
  '1e20',
  '1.5',
  '""',
  '[]',
  '{}',
  '"../../x"',
  '{"__proto__":{}}',
  'true',
  '9007199254740993',
  '"sha256:00"',
  `${'['.repeat(300)}${']'.repeat(300)}`,
]

/** The bytes with one to four mistakes in them. */
export function mutate(bytes, random) {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b && random.below(2) === 0) {
    try {
      return gzipSync(mutate(gunzipSync(bytes, { maxOutputLength: 1024 * 1024 }), random), { level: 1 })
    } catch {
      // It is a broken one already.
    }
  }
  let result = Buffer.from(bytes)
  for (let count = 1 + random.below(4); count > 0 && result.length > 0; count--)
    result = mutateOnce(result, random)
  return isTar(bytes) && random.below(8) > 0 ? withChecksums(result) : result
}

function mutateOnce(bytes, random) {
  const at = random.below(bytes.length)
  const length = random.below(Math.min(2048, bytes.length))
  switch (random.below(isTar(bytes) ? 12 : 8)) {
    case 0:
      bytes[at] ^= 1 << random.below(8)
      return bytes
    case 1:
      bytes[at] = random.below(256)
      return bytes
    case 2:
      return bytes.subarray(0, at)
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 4: {
      const from = random.below(bytes.length)
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + length), bytes.subarray(at)])
    }
    case 5:
      return bytes.fill(
        random.pick([0, 0xff, 0x20, 0x5b, 0x30]),
        at,
        Math.min(at + length, at + 64, bytes.length),
      )
    case 6:
    case 7:
      return mutateJson(bytes, random)
    default:
      return mutateHeader(bytes, random)
  }
}

/** Puts another value behind one of the colons. */
function mutateJson(bytes, random) {
  const text = bytes.toString('latin1')
  const places = [...text.matchAll(/":\s*("[^"\n]{0,300}"|-?[0-9.]+|null|true|false|[[{])/g)]
  if (places.length === 0) return bytes
  const { index, 1: value } = random.pick(places)
  const at = text.indexOf(value, index + 2)
  return Buffer.from(`${text.slice(0, at)}${random.pick(VALUES)}${text.slice(at + value.length)}`, 'latin1')
}

function mutateHeader(bytes, random) {
  const headers = headersOf(bytes)
  if (headers.length === 0) return bytes
  const start = random.pick(headers)
  const [offset, length] = random.pick(FIELDS)
  const value = length === 1 ? random.pick(TYPES) : length <= 12 ? random.pick(NUMBERS) : random.pick(NAMES)
  bytes.fill(0, start + offset, start + offset + length)
  bytes.write(value, start + offset, length, 'latin1')
  if (random.below(6) !== 0) return bytes
  // The same header once more, which shifts what it describes.
  return Buffer.concat([bytes.subarray(0, start + BLOCK), bytes.subarray(start)])
}

function isTar(bytes) {
  return headersOf(bytes.subarray(0, BLOCK)).length > 0
}

function headersOf(bytes) {
  const found = []
  for (let at = 0; at + BLOCK <= bytes.length; at += BLOCK) {
    if (bytes.toString('latin1', at + 257, at + 262) === 'ustar') found.push(at)
  }
  return found
}

/** Without right checksums, nothing behind them would be read. */
function withChecksums(bytes) {
  for (const at of headersOf(bytes)) {
    bytes.fill(0x20, at + 148, at + 156)
    let sum = 0
    for (let byte = at; byte < at + BLOCK; byte++) sum += bytes[byte]
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1')
  }
  return bytes
}
