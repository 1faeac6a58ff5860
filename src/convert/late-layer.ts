import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { decompress } from '../compression/decompress.js'
import { generatedStream } from '../compression/generated-stream.js'
import type { InflateOptions } from '../compression/inflate-thread.js'
import { inflateInThread, prepareThread } from '../compression/inflate-threads.js'
import { blobChunksOf, type Chunks, verifyChunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import { algorithmOf, type Digest } from '../content/digest.js'
import { announcedCompression } from '../content/layer-types.js'
import type { Context, Source } from '../content/store.js'
import type { Expected } from '../content/verify.js'
import { withoutStart } from '../content/without-start.js'
import { type ConvertedLayer, compressionOf } from './convert-layer.js'

/** Smaller layers are uncompressed before a thread would have started. */
const WORTH_A_THREAD_BYTES = 1024 * 1024
/** How long the trailer's size is, which comes last (RFC 1952, 2.3.1, ISIZE). */
const SIZE_BYTES = 4
/** What can't be compressed becomes longer by five bytes in 16 KiB, or fewer, and by header and trailer. */
const MOST_OF_SIZE = 1.001
const HEADER_BYTES = 64

/**
 * A gzip layer as it is uncompressed, of which nothing is uncompressed before it is read: its diffID is its digest, and
 * its trailer tells its size. Neither is proven, and the size is another one where there are several members, or more
 * than 4 GiB: whoever reads it has to check both, and to convert the layer as {@link convertLayer} does if they are wrong.
 *
 * @returns undefined for what is no gzip, and when the trailer's size can't be right
 * @throws what the source throws
 */
export async function lateLayer(
  source: Source,
  layer: Descriptor,
  diffID: Digest,
  context: Context,
): Promise<ConvertedLayer | undefined> {
  // Elsewhere layers that are made plain have this algorithm.
  if (algorithmOf(diffID) !== 'sha256' || layer.size < SIZE_BYTES) return undefined
  const size = await readSize(source, layer, context)
  if (size === undefined) return undefined
  if (layer.size > size * MOST_OF_SIZE + HEADER_BYTES) return undefined
  if (layer.size >= WORTH_A_THREAD_BYTES) prepareThread()
  const what = `layer ${layer.digest} of ${source.label}`
  return {
    digest: diffID,
    size,
    compression: 'none',
    chunks: (reading, cut) =>
      inflate(blobChunksOf(source, layer, reading), layer, {
        what,
        first: cut,
        expected: { digest: diffID, size },
      }),
    isChecked: true,
    open: async (from, reading) => {
      const plain = decompress(await source.openBlob(layer, reading), 'gzip', { what })
      return from === 0 ? plain : generatedStream(withoutStart(plain, from), plain)
    },
  }
}

/** What the trailer says; undefined for what is no gzip. */
async function readSize(source: Source, layer: Descriptor, context: Context): Promise<number | undefined> {
  if (source.readBlobEnd !== undefined) {
    // Of what is yet to come there is but its type to go by.
    if (announcedCompression(layer.mediaType) !== 'gzip') return undefined
    return (await source.readBlobEnd(layer, SIZE_BYTES, context))?.readUInt32LE()
  }
  if ((await compressionOf(source, layer, context)) !== 'gzip') return undefined
  return (await buffer(await source.openBlob(layer, context, layer.size - SIZE_BYTES))).readUInt32LE()
}

/** Uncompresses a layer, and checks what comes of it: a thread does that while it is in its processor's cache. */
function inflate(
  stored: Chunks,
  { size }: Descriptor,
  options: InflateOptions & { expected: Expected },
): Chunks {
  if (size >= WORTH_A_THREAD_BYTES) return inflateInThread(stored, options)
  const { what, expected } = options
  const plain = decompress(Readable.from(stored, { objectMode: false }), 'gzip', { what })
  return verifyChunks(plain, expected, `${what}, uncompressed,`)
}
