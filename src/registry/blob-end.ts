import { buffer } from 'node:stream/consumers'
import type { Descriptor } from '../content/descriptor.js'
import type { Context } from '../content/store.js'
import type { RepositoryAccess } from './access.js'
import { openBlobRange } from './blob-body.js'
import { streamOf } from './response-body.js'

/**
 * Asks for the last bytes of a blob, once (RFC 9110, Range Requests).
 *
 * @returns undefined when the registry doesn't give just those, for whatever reason: they come with the whole blob
 */
export async function readBlobEnd(
  repository: RepositoryAccess,
  descriptor: Descriptor,
  bytes: number,
  context: Context,
): Promise<Buffer | undefined> {
  const to = descriptor.size
  try {
    const range = { from: to - bytes, to, attempts: 1 }
    const found = await buffer(streamOf(await openBlobRange(repository, descriptor, context, range)))
    return found.length === bytes ? found : undefined
  } catch (error) {
    if (context.signal.aborted) throw error
    return undefined
  }
}
