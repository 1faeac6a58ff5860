import { Readable } from 'node:stream'
import type { Descriptor } from '../content/descriptor.js'
import type { Context } from '../content/store.js'
import { InterruptedError, RegctlError } from '../errors.js'
import type { RepositoryAccess } from './access.js'
import { openBlobAnywhere } from './foreign-layer.js'
import { explainNetworkError } from './network-error.js'
import { RegistryError } from './registry-error.js'

/** After so many breaks without a byte in between, a download fails (rule R245). */
const MAXIMUM_BREAKS = 5

/**
 * Opens a blob from a byte offset on. When it breaks off, the rest is asked for at the registry and the stream goes
 * on where it stopped (rules R34, R245, R249).
 *
 * @returns the bytes as they come, not verified; the caller destroys the stream when it stops early
 * @throws RegistryError `not-found` or `denied`; as the stream's error `broken-download` of kind `network`
 */
export async function openBlob(
  repository: RepositoryAccess,
  descriptor: Descriptor,
  context: Context,
  from: number,
): Promise<Readable> {
  const current = { body: await openBlobAnywhere(repository, descriptor, context, from) }
  // The connection may break before anybody reads: that is told to the first who does.
  current.body.on('error', () => {})
  const whole = Readable.from(readOn(repository, descriptor, context, from, current))
  whole.once('close', () => current.body.destroy())
  return whole
}

/** `current` is where the stream's owner finds the body to close. */
async function* readOn(
  repository: RepositoryAccess,
  descriptor: Descriptor,
  context: Context,
  from: number,
  current: { body: Readable },
): AsyncGenerator<Buffer> {
  const operation = `pull of blob ${descriptor.digest} from ${repository.label}`
  let offset = from
  let breaks = 0
  let chunks = chunksOf(current.body)
  for (;;) {
    // A yield within the try would take an error of the reader, thrown in here, for a break of the connection.
    const { chunk, cause } = await nextOf(chunks)
    if (chunk !== undefined) {
      offset += chunk.length
      breaks = 0
      yield chunk
      continue
    }
    if (cause === undefined && offset >= descriptor.size) return
    if (context.signal.aborted) throw new InterruptedError(`${operation} was interrupted`, cause)
    if (cause instanceof RegctlError) throw cause
    breaks++
    const url = new URL((await repository.client.endpointOf(repository.registry, context)).base)
    url.pathname = `/v2/${repository.name}/blobs/${descriptor.digest}`
    const { text } = explainNetworkError(cause ?? new Error('terminated'), url)
    const why = `${text.replace(/^failed: /, '')} at byte ${offset} of ${descriptor.size}`
    if (breaks >= MAXIMUM_BREAKS) {
      throw new RegistryError(operation, {
        kind: 'network',
        code: 'broken-download',
        method: 'GET',
        url,
        outcome: `broke off: ${why}`,
        attempts: breaks,
        cause,
      })
    }
    const { retrier } = repository.client
    const delayMs = breaks === 1 ? 0 : retrier.backoff(breaks)
    await retrier.pause({ operation, context }, breaks, { cause: why, delayMs })
    current.body = await openBlobAnywhere(repository, descriptor, context, offset)
    current.body.on('error', () => {})
    chunks = chunksOf(current.body)
  }
}

/** The next chunk, or why there is none; neither at the end. */
async function nextOf(chunks: AsyncIterator<Buffer>): Promise<{ chunk?: Buffer; cause?: unknown }> {
  try {
    const { done, value } = await chunks.next()
    return done === true ? {} : { chunk: value }
  } catch (cause) {
    return { cause }
  }
}

function chunksOf(body: Readable): AsyncIterator<Buffer> {
  return body[Symbol.asyncIterator]() as AsyncIterator<Buffer>
}
