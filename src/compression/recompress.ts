import type { Readable } from 'node:stream'
import type { Digester } from '../content/digest.js'
import { joinStreams } from '../content/join-streams.js'
import { decompress } from './decompress.js'
import { gzipStream } from './gzip.js'
import type { Compression } from './sniff.js'
import { hashing, type Spool, type SpooledBytes } from './spool.js'
import { zstdStream } from './zstd.js'

/** How {@link recompress} works. */
export interface Recompression {
  /** What the input is compressed with. */
  from: Compression
  to: 'none' | 'gzip' | 'zstd'
  /** Undefined for the algorithm's default. */
  level: number | undefined
  /** Is given the uncompressed bytes; asked by the caller for their digest afterwards. */
  plain: Digester
  /** For messages. */
  what: string
  spool: Spool
  signal: AbortSignal
}

/**
 * Compresses a stream in another way, into the spool. What comes out depends on the uncompressed bytes alone.
 *
 * @param input is read to its end, or destroyed
 * @throws CompressionError when the input is damaged, or the runtime has no zstd; what the input throws
 */
export async function recompress(input: Readable, work: Recompression): Promise<SpooledBytes> {
  const { from, to, level, plain, what, spool, signal } = work
  const options = level === undefined ? {} : { level }
  // A damaged input may fail its own check after the decompressor has given up, and nobody listens to it any more.
  input.on('error', () => {})
  try {
    const content = joinStreams(from === 'none' ? input : decompress(input, from, { what }), hashing(plain))
    // Where no compressor can be made, nobody else takes the error of an input that ends early.
    content.on('error', () => {})
    if (to === 'none') return await spool.add(content, signal)
    return await spool.add(
      to === 'gzip' ? gzipStream(content, options) : zstdStream(content, options),
      signal,
    )
  } finally {
    input.destroy()
  }
}
