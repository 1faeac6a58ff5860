import { countStream } from '../content/count-stream.js'
import type { Descriptor } from '../content/descriptor.js'
import type { BlobContent, Context, Source } from '../content/store.js'
import { verifyStream } from '../content/verify.js'

/**
 * A blob of a source, as a sink takes it: it can be opened again after a failure, is verified when it is read from
 * the start, and tells how far it was read.
 *
 * @param target the label of the sink, for the events
 */
export function blobContent(
  source: Source,
  descriptor: Descriptor,
  target: string,
  context: Context,
): BlobContent {
  return {
    descriptor,
    origin: source,
    open: async (from = 0) => {
      const input = await source.openBlob(descriptor, context, from)
      const verified =
        from === 0 ? verifyStream(input, descriptor, `blob ${descriptor.digest} of ${source.label}`) : input
      return countStream(verified, from, offset => {
        context.emit({ type: 'blob-progress', target, descriptor, offset })
      })
    },
  }
}
