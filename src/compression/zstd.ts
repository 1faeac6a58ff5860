import { pipeline, type Readable, type Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { CompressionError } from './compression-error.js'

/** The level that layers are compressed with when zstd is asked for: zstd's own default. */
export const DEFAULT_ZSTD_LEVEL = 3

/** The part of node:zlib that Node has from 22.15 on (rule R175). */
interface ZstdOfNode {
  createZstdCompress?(options: { chunkSize: number; params: Record<number, number> }): Transform
  constants: { ZSTD_c_compressionLevel?: number; ZSTD_c_checksumFlag?: number }
}

/**
 * Compresses a stream into one zstd frame with a checksum.
 *
 * @param input is destroyed when the result is
 * @throws CompressionError `zstd-unavailable` (kind `usage`) on Node before 22.15
 */
export function zstdStream(input: Readable, options: { level?: number } = {}): Readable {
  const { createZstdCompress, constants } = zlib as ZstdOfNode
  if (createZstdCompress === undefined) {
    throw new CompressionError(`Node ${process.versions.node} cannot compress with zstd`, {
      kind: 'usage',
      code: 'zstd-unavailable',
      hint: 'Run regctl with Node 22.15 or newer, or use gzip.',
    })
  }
  const compressor = createZstdCompress({
    chunkSize: 256 * 1024,
    params: {
      [constants.ZSTD_c_compressionLevel ?? 100]: options.level ?? DEFAULT_ZSTD_LEVEL,
      [constants.ZSTD_c_checksumFlag ?? 201]: 1,
    },
  })
  return pipeline(input, compressor, () => {})
}
