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
    open: async (from = 0, { unverified = false } = {}) => {
      const input = await source.openBlob(descriptor, context, from)
      const isVerified = from === 0 && !unverified
      const what = `blob ${descriptor.digest} of ${source.label}`
      const content = isVerified ? verifyStream(input, descriptor, what) : input
      return countStream(content, from, offset => {
        context.emit({ type: 'blob-progress', target, descriptor, offset })
      })
    },
  }
}
