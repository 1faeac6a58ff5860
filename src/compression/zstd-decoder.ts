import { pipeline, Readable, type Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { InputEnded } from './compression-error.js'

/** The largest window that is accepted, as a power of two: that of `zstd --long=31`, 2 GiB, would not fit. */
const WINDOW_LOG_MAX = 27

/** The part of node:zlib that Node has from 22.15 on (rule R175). */
interface ZstdOfNode {
  createZstdDecompress?(options: { chunkSize: number; params: Record<number, number> }): Transform
  constants: { ZSTD_d_windowLogMax?: number }
}

/** All frames, skippable ones too (RFC 8878, 3.1). */
export async function* zstdDecoder(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const native = zlib as ZstdOfNode
  if (native.createZstdDecompress === undefined) {
    yield* decodeInJavaScript(input)
    return
  }
  const decompressor = native.createZstdDecompress({
    chunkSize: 256 * 1024,
    params: { [native.constants.ZSTD_d_windowLogMax ?? 100]: WINDOW_LOG_MAX },
  })
  pipeline(Readable.from(input, { objectMode: false }), decompressor, () => {})
  yield* decompressor as AsyncIterable<Buffer>
}

/** A few bytes of zstd may expand to a lot at once, so the decoder gets them in small pieces. */
const PIECE_SIZE = 2048

/** The code that fzstd gives to data that ends too early. */
const UNEXPECTED_EOF = 5

/**
 * For Node without zstd. This decoder leaves the optional checksum of a frame alone; what it yields is content that is
 * checked against its digest.
 */
async function* decodeInJavaScript(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import('fzstd')
  let output: Uint8Array[] = []
  const decoder = new Decompress(chunk => output.push(chunk))
  const push = (piece: Uint8Array, isLast: boolean): Uint8Array[] => {
    output = []
    try {
      decoder.push(piece, isLast)
    } catch (error) {
      throw (error as { code?: unknown }).code === UNEXPECTED_EOF
        ? new InputEnded('zstd', { cause: error })
        : error
    }
    return output
  }
  for await (const chunk of input) {
    for (let at = 0; at < chunk.length; at += PIECE_SIZE)
      yield* push(chunk.subarray(at, at + PIECE_SIZE), false)
  }
  yield* push(new Uint8Array(), true)
}
