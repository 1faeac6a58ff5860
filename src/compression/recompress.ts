import type { Readable } from 'node:stream'
import type { Digester } from '../content/digest.js'
import { joinStreams } from '../content/join-streams.js'
import type { RandomAccess } from '../content/random-access.js'
import type { SpooledBytes } from '../content/spooled-file.js'
import { decompress } from './decompress.js'
import { gzipPieces, gzipStream } from './gzip.js'
import type { Compression } from './sniff.js'
import { hashing, type Spool } from './spool.js'
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
 * Compresses a plain file with gzip into the spool: what {@link recompress} makes of its stream, in less time.
 *
 * @param tell takes how many bytes have been read
 * @throws what the input and the disk throw
 */
export async function compressFile(
  input: RandomAccess,
  { level, plain, spool, signal }: Pick<Recompression, 'level' | 'plain' | 'spool' | 'signal'>,
  tell: (offset: number) => void,
): Promise<SpooledBytes> {
  return await spool.addPieces(
    gzipPieces(input, plain, { ...(level !== undefined && { level }) }, tell),
    signal,
  )
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
