import { blobChunksOf, countChunks, verifyChunks } from '../content/chunks.js'
import { countStream } from '../content/count-stream.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { BlobContent, Context, Sink, Source } from '../content/store.js'
import { isMismatch, verifyStream } from '../content/verify.js'

/** Blobs that are on their way to a sink before they are asked for, with how that ends. */
export type AheadBlobs = ReadonlyMap<Digest, Promise<'copied' | 'mounted' | 'exists'>>

/**
 * Puts a blob of a source into a sink. Bytes that turn out wrong are had again where the source expects others then (rule
 * R247): this is the one place for that, since every sink takes a blob by opening it, and leaves nothing when it fails.
 *
 * @throws what the sink throws; ContentError `size-mismatch`, `digest-mismatch` when the bytes stay wrong
 */
export async function transferBlob(
  source: Source,
  sink: Sink,
  descriptor: Descriptor,
  context: Context,
): Promise<'copied' | 'mounted' | 'exists'> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sink.putBlob(blobContent(source, descriptor, sink.label, context), context)
    } catch (error) {
      const isWorthwhile = isMismatch(error) && !context.signal.aborted
      if (!isWorthwhile || source.rejectBlob?.(descriptor.digest, context) !== true) throw error
      const operation = `pull of blob ${descriptor.digest} from ${source.label}`
      context.emit({ type: 'retrying', operation, cause: error.message, attempt, delayMs: 0 })
    }
  }
}

/**
 * A blob of a source, as a sink takes it: it can be opened again after a failure, is verified when it is read from
 * the start, and tells how far it was read.
 *
 * @param target the label of the sink, for the events
 */
function blobContent(source: Source, descriptor: Descriptor, target: string, context: Context): BlobContent {
  const what = `blob ${descriptor.digest} of ${source.label}`
  const isChecked = (from: number, { unverified = false }: { unverified?: boolean }) =>
    from === 0 && !unverified && source.hasVerified?.(descriptor.digest) !== true
  const tell = (offset: number) => context.emit({ type: 'blob-progress', target, descriptor, offset })
  return {
    descriptor,
    origin: source,
    open: async (from = 0, options = {}) => {
      const input = await source.openBlob(descriptor, context, from)
      return countStream(isChecked(from, options) ? verifyStream(input, descriptor, what) : input, from, tell)
    },
    chunks: (from = 0, options = {}) => {
      const input = blobChunksOf(source, descriptor, context, from)
      return countChunks(isChecked(from, options) ? verifyChunks(input, descriptor, what) : input, from, tell)
    },
    ...(source.isAtHand === true && {
      check: async () => {
        for await (const _ of verifyChunks(blobChunksOf(source, descriptor, context), descriptor, what)) {
          context.signal.throwIfAborted()
        }
      },
    }),
  }
}
