// Compares the compressor for layers with zlib's levels, on one core: `npm run build && node bench/compress.js layer.tar…`.
// MB for each second of CPU time, the best of some turns, which other work on the machine disturbs little; and the size.
import { closeSync, openSync, readSync } from 'node:fs'
import { constants, crc32, deflateRawSync, inflateRawSync } from 'node:zlib'
import { BLOCK_SIZE, DICTIONARY_SIZE } from '../dist/compression/deflate-block.js'
import { DeflateRoom } from '../dist/compression/deflater.js'

/** Of each file, from its start. */
const MOST_BYTES = 64 * BLOCK_SIZE
const TURNS = 3

const files = process.argv.slice(2)
if (files.length === 0) {
  process.stderr.write('usage: node bench/compress.js FILE...\n')
  process.exit(2)
}
const inputs = files.map(readStart)
const total = inputs.reduce((sum, { length }) => sum + length, 0)
const room = new DeflateRoom()
const compressors = {
  regctl: deflate,
  ...Object.fromEntries(
    [1, 3, 4, 6].map(level => [`zlib, level ${level}`, (...block) => zlib(level, ...block)]),
  ),
}
const results = Object.entries(compressors).map(([name, compress]) => ({
  name,
  compress,
  seconds: Number.POSITIVE_INFINITY,
  size: 0,
}))
for (let turn = 0; turn < TURNS; turn++) {
  for (const result of results) {
    const before = process.cpuUsage()
    result.size = inputs.reduce((sum, input) => sum + compressAll(input, result.compress).size, 0)
    const { user, system } = process.cpuUsage(before)
    result.seconds = Math.min(result.seconds, (user + system) / 1e6)
  }
}
for (const input of inputs) {
  const stream = Buffer.concat(compressAll(input, compressors.regctl).parts)
  if (crc32(inflateRawSync(stream)) !== crc32(input))
    throw new Error('zlib does not give back what was compressed')
}
process.stdout.write(`Node ${process.versions.node}, ${Math.round(total / 1e6)} MB\n\n`)
process.stdout.write('| compressor | MB per CPU second | size |\n| --- | ---: | ---: |\n')
for (const { name, seconds, size } of results) {
  process.stdout.write(`| ${name} | ${Math.round(total / 1e6 / seconds)} | ${(size / total).toFixed(3)} |\n`)
}

/** @param {string} path */
function readStart(path) {
  const file = openSync(path, 'r')
  const bytes = Buffer.alloc(MOST_BYTES)
  const size = readSync(file, bytes, 0, MOST_BYTES, 0)
  closeSync(file)
  return bytes.subarray(0, size)
}

/** As layers are compressed: in blocks, each with what was before it. */
function compressAll(input, compress) {
  const parts = []
  for (let start = 0; start < input.length; start += BLOCK_SIZE) {
    const bytes = input.subarray(start, start + BLOCK_SIZE)
    const dictionary = input.subarray(Math.max(0, start - DICTIONARY_SIZE), start)
    parts.push(compress(bytes, dictionary, start + BLOCK_SIZE >= input.length))
  }
  return { parts, size: parts.reduce((sum, part) => sum + part.length, 0) }
}

function deflate(bytes, dictionary, isLast) {
  room.input.set(dictionary, DICTIONARY_SIZE - dictionary.length)
  room.input.set(bytes, DICTIONARY_SIZE)
  return Buffer.from(room.compress({ dictionarySize: dictionary.length, size: bytes.length, isLast }))
}

function zlib(level, bytes, dictionary, isLast) {
  return deflateRawSync(bytes, {
    level,
    finishFlush: isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    ...(dictionary.length > 0 && { dictionary }),
  })
}
