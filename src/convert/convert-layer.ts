import type { Readable } from 'node:stream'
import type { LayerCompression } from '../compression/layer-compression.js'
import { recompress } from '../compression/recompress.js'
import { type Compression, SNIFF_LENGTH, sniffCompression } from '../compression/sniff.js'
import type { Spool } from '../compression/spool.js'
import type { Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import { algorithmOf, type Digest, Digester } from '../content/digest.js'
import type { StoredCompression } from '../content/layer-types.js'
import type { Context, Source } from '../content/store.js'
import { digestMismatch, verifyStream } from '../content/verify.js'

/** A layer with another compression. */
export interface ConvertedLayer {
  digest: Digest
  size: number
  compression: StoredCompression
  /** Opens it from a byte offset on. */
  open(from: number, context: Context): Promise<Readable>
  /** The same from its start, chunk by chunk, cut as `Source.blobChunks` says. Absent where {@link open} does as well. */
  chunks?(context: Context, cut?: number): Chunks
  /** Whether {@link chunks} end with an error where size or digest is wrong, as those of `verifyChunks` do. */
  isChecked?: boolean
}

/**
 * Compresses a layer in another way. Its bytes are checked against its descriptor, and what they hold against the diffID.
 *
 * @param diffID undefined when the config doesn't tell
 * @returns undefined when the layer has the wanted compression already
 * @throws ContentError `digest-mismatch`, `size-mismatch`; CompressionError; what the source throws
 */
export async function convertLayer(
  source: Source,
  layer: Descriptor,
  diffID: Digest | undefined,
  { algorithm, level }: LayerCompression,
  spool: Spool,
  context: Context,
): Promise<ConvertedLayer | undefined> {
  if (algorithm === 'auto' || algorithm === 'keep') return undefined
  const found = await compressionOf(source, layer, context)
  if (found === algorithm && level === undefined) return undefined

  const what = `layer ${layer.digest} of ${source.label}`
  const plain = new Digester(diffID === undefined ? 'sha256' : algorithmOf(diffID))
  const stored = verifyStream(await source.openBlob(layer, context), layer, what)
  const { signal } = context
  const spooled = await recompress(stored, { from: found, to: algorithm, level, plain, what, spool, signal })
  const digest = plain.digest()
  if (diffID !== undefined && digest !== diffID)
    throw digestMismatch(`${what}, uncompressed,`, diffID, digest)
  return { ...spooled, compression: algorithm }
}

/** What a layer is compressed with, by its first bytes. */
export async function compressionOf(
  source: Source,
  layer: Descriptor,
  context: Context,
): Promise<Compression> {
  const stream = await source.openBlob(layer, context)
  let head = Buffer.alloc(0)
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    head = Buffer.concat([head, chunk])
    if (head.length >= SNIFF_LENGTH) break
  }
  return sniffCompression(head.subarray(0, SNIFF_LENGTH))
}
