import { pipeline, Readable, type Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { ChunkReader } from './chunk-reader.js'
import { frameOf, nextFrame } from './zstd-frames.js'
import { WindowWork, withFittingWindow } from './zstd-window.js'

/** The size and type in front of a block (RFC 8878, 3.1.1.2). */
const BLOCK_HEADER_SIZE = 3

/** The part of node:zlib that Node has from 22.15 on (rule R175). */
interface ZstdOfNode {
  createZstdDecompress?(options: { chunkSize: number }): Transform
}

/**
 * All frames, one after another.
 *
 * Frames are told apart here and decoded one by one: Node 24 loses whatever follows the first frame when the frame ends
 * with a chunk of input, and reports no error.
 */
export async function* zstdDecoder(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const reader = new ChunkReader(input)
  const work = new WindowWork()
  const { createZstdDecompress } = zlib as ZstdOfNode
  while (await nextFrame(reader)) {
    if (createZstdDecompress === undefined)
      yield* decodeInJavaScript(withFittingWindow(frameOf(reader)), work)
    else {
      const decompressor = createZstdDecompress({ chunkSize: 128 * 1024 })
      pipeline(Readable.from(frameOf(reader), { objectMode: false }), decompressor, () => {})
      yield* decompressor as AsyncIterable<Buffer>
    }
  }
}

/**
 * For Node without zstd. This decoder leaves the optional checksum of a frame alone; what it yields is content that is
 * checked against its digest.
 *
 * @param frame comes block by block, so that little comes out at once
 */
async function* decodeInJavaScript(
  frame: AsyncIterable<Buffer>,
  work: WindowWork,
): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import('fzstd')
  let output: Uint8Array[] = []
  const decoder = new Decompress(chunk => output.push(chunk))
  let isHeader = true
  for await (const piece of frame) {
    output = []
    if (isHeader) work.startFrame(piece)
    isHeader = false
    // A piece that is exactly a block would stay in the decoder's list of leftovers. In two it does not.
    decoder.push(piece.subarray(0, BLOCK_HEADER_SIZE))
    decoder.push(piece.subarray(BLOCK_HEADER_SIZE))
    work.addBlock(output.reduce((sum, chunk) => sum + chunk.length, 0))
    yield* output
  }
  // It holds the first few bytes back until there are more, so a tiny frame needs to be told that it has ended.
  output = []
  decoder.push(new Uint8Array(), true)
  yield* output
}
