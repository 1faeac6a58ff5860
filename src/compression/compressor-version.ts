import { createHash } from 'node:crypto'
import { DEFLATE_MODULE } from './deflate-module.js'
import { DEFAULT_ZSTD_LEVEL } from './zstd.js'

/** Counts up when something else changes that the output depends on: how blocks are cut, the gzip header. */
const FRAMING = 1

/**
 * Names what compresses: with the same name, the same bytes always become the same. For what is remembered from one run to
 * another; it changes with Node where Node's libraries compress.
 */
export function compressorVersion(algorithm: 'gzip' | 'zstd', level: number | undefined): string {
  const { zlib, zstd = 'none' } = process.versions
  if (algorithm === 'zstd') return `zstd ${zstd} level ${level ?? DEFAULT_ZSTD_LEVEL}`
  if (level !== undefined) return `zlib ${zlib} level ${level} framing ${FRAMING}`
  const code = createHash('sha256').update(DEFLATE_MODULE).digest('hex').slice(0, 16)
  return `regctl ${code} framing ${FRAMING}`
}
