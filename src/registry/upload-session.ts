import { createContext } from '../content/context.js'
import { algorithmOf, type Digest } from '../content/digest.js'
import type { Context } from '../content/store.js'
import { Deadline } from '../deadline.js'
import { InterruptedError } from '../errors.js'
import { type RepositoryAccess, responseError, sendTo } from './access.js'
import type { LeftUpload } from './open-uploads.js'
import { RegistryError } from './registry-error.js'
import { discard, headerOf, isSuccess, type RegistryRequest, type RegistryResponse } from './send.js'
import { uploadedBytes } from './upload-range.js'
import { resolveServerUrl, UnsafeUrlError } from './urls.js'

/** An upload that the registry has opened, with what is known of it. */
export interface UploadSession {
  /** Where to go on. Each answer may replace it (rule R46). */
  location: URL
  /** How many bytes the registry is known to have. */
  acknowledged: number
  /** The offset up to which bytes were handed to the network in any of its requests. */
  sent: number
  /** How many bytes the last request had. */
  requested: number
  /** Some of it went up by PATCH, or in an earlier run: it ends with an empty PUT (rule R51). */
  isPartial: boolean
  /** The least and the most bytes of a chunk that the registry asked for (rule R50). */
  readonly chunkLimits: { least: number; most: number }
}

/** How long a cancelled upload is waited for: less than the time that an interrupted run has to end. */
const CANCEL_TIMEOUT_MS = 5_000
const HURRIED_CANCEL_TIMEOUT_MS = 1_500
/** How often a registry is asked that has not noticed yet that a connection broke. */
const MAXIMUM_BUSY = 5
/** A status that only may be of use is asked for again just because a kept connection was closed (rule R250). */
const STALE_CONNECTION_ATTEMPTS = 2

/**
 * Has a blob mounted from another repository (distribution-spec, Mounting a blob from another repository). Any failure only
 * means that the bytes must be sent (rule R66). It is never asked for without saying from where, which several registries
 * answer by an error (rule R64).
 *
 * @returns the upload that the registry opened instead; undefined when it did neither
 */
export async function tryMount(
  repository: RepositoryAccess,
  digest: Digest,
  from: string,
  operation: string,
  context: Context,
): Promise<UploadSession | 'mounted' | undefined> {
  try {
    const { request, response } = await sendTo(
      repository,
      {
        operation,
        method: 'POST',
        target: appendAlgorithm(`blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`, digest),
        access: 'push',
        alsoPull: from,
        attempts: 1,
      },
      context,
    )
    discard(response)
    if (response.status === 201) return 'mounted'
    return response.status === 202 ? sessionOf(repository, request, response) : undefined
  } catch (error) {
    if (context.signal.aborted) throw new InterruptedError(`${operation} was interrupted`, error)
    return undefined
  }
}

/**
 * Opens an upload (distribution-spec, POST then PUT). The bytes never go along with the POST, of which many registries take
 * no notice (rule R41).
 *
 * @throws RegistryError when the registry refuses, or names no Location that may be followed
 */
export async function startUpload(
  repository: RepositoryAccess,
  digest: Digest,
  operation: string,
  context: Context,
): Promise<UploadSession> {
  const { request, response } = await sendTo(
    repository,
    { operation, method: 'POST', target: appendAlgorithm('blobs/uploads/', digest), access: 'push' },
    context,
  )
  discard(response)
  if (!isSuccess(response.status)) throw responseError(request, response)
  return sessionOf(repository, request, response)
}

/** A registry hashes what comes as it comes: it has to know how where that is not by SHA-256 (rule R62). */
function appendAlgorithm(target: string, digest: Digest): string {
  const algorithm = algorithmOf(digest)
  if (algorithm === 'sha256') return target
  return `${target}${target.includes('?') ? '&' : '?'}digest-algorithm=${algorithm}`
}

/** What the answer to a POST says of a Range is no count of bytes (rule R49). */
function sessionOf(
  repository: RepositoryAccess,
  request: RegistryRequest,
  response: RegistryResponse,
): UploadSession {
  const location = locationOf(repository, request, response)
  if (location === undefined) throw badLocation(request, response, 'it has no Location to send the bytes to')
  const least = countOf(response, 'oci-chunk-min-length') ?? 0
  const most = countOf(response, 'oci-chunk-max-length') ?? Number.POSITIVE_INFINITY
  const chunkLimits = { least, most }
  return { location, acknowledged: 0, sent: 0, requested: 0, isPartial: false, chunkLimits }
}

function countOf(response: RegistryResponse, name: string): number | undefined {
  const text = headerOf(response, name)
  return text !== undefined && /^\d{1,15}$/.test(text) && Number(text) > 0 ? Number(text) : undefined
}

/**
 * The Location of an answer; undefined when it has none.
 *
 * @throws RegistryError `bad-location` for one that may not be followed (rules R214 to R216)
 */
export function locationOf(
  repository: RepositoryAccess,
  request: RegistryRequest,
  response: RegistryResponse,
): URL | undefined {
  const text = headerOf(response, 'location')
  if (text === undefined) return undefined
  try {
    return resolveServerUrl(text, response.url, request.endpoint, 'Location', repository.client.policy)
  } catch (error) {
    if (!(error instanceof UnsafeUrlError)) throw error
    throw badLocation(request, response, `${error.message}, which is refused`)
  }
}

function badLocation(request: RegistryRequest, response: RegistryResponse, outcome: string): RegistryError {
  return new RegistryError(request.operation, {
    kind: 'network',
    code: 'bad-location',
    method: request.method,
    url: response.url,
    status: response.status,
    outcome: `answered ${response.status}: ${outcome}`,
  })
}

/**
 * The upload that an earlier run left, as far as the registry confirms it (rule R200). It is asked once, and its Location
 * checked like one that the registry just gave.
 *
 * @returns undefined when there is nothing to go on with
 * @throws InterruptedError
 */
export async function resumeLeft(
  repository: RepositoryAccess,
  left: LeftUpload,
  size: number,
  operation: string,
  context: Context,
): Promise<UploadSession | undefined> {
  try {
    const { client, registry } = repository
    const endpoint = await client.endpointOf(registry, context)
    const location = resolveServerUrl(left.location, endpoint.base, endpoint, 'Location', client.policy)
    const chunkLimits = { least: 0, most: Number.POSITIVE_INFINITY }
    const session = { location, acknowledged: 0, sent: 0, requested: 0, isPartial: true, chunkLimits }
    const offset = await askOffset(repository, session, size, operation, context, STALE_CONNECTION_ATTEMPTS)
    if (offset === undefined || offset === 0) return undefined
    return Object.assign(session, { acknowledged: offset, sent: offset })
  } catch (error) {
    if (context.signal.aborted) throw new InterruptedError(`${operation} was interrupted`, error)
    return undefined
  }
}

/**
 * Asks how far an upload is (distribution-spec, Pushing a blob in chunks, GET Location; rules R49, R58). A registry that
 * still works on a request that broke is asked again after a while.
 *
 * @param limitBytes more than this can't be there
 * @param attempts how often it is asked where no answer comes
 * @returns how many bytes the registry has, with `session.location` renewed; undefined when it doesn't say, or can't go on
 * @throws RegistryError of kind `network` when no answer came, InterruptedError
 */
export async function askOffset(
  repository: RepositoryAccess,
  session: UploadSession,
  limitBytes: number,
  operation: string,
  context: Context,
  attempts?: number,
): Promise<number | undefined> {
  const { retrier } = repository.client
  const fields = { operation, method: 'GET', target: session.location, access: 'push' } as const
  const asking = attempts === undefined ? fields : { ...fields, attempts }
  for (let asked = 1; ; asked++) {
    const { request, response } = await sendTo(repository, asking, context)
    discard(response)
    if (response.status === 204 || response.status === 200) {
      const offset = uploadedBytes(headerOf(response, 'range'), limitBytes)
      if (offset === undefined) return undefined
      session.location = locationOf(repository, request, response) ?? session.location
      return offset
    }
    if (response.status !== 409 || asked >= MAXIMUM_BUSY) return undefined
    const cause = 'the registry is still busy with what broke off'
    await retrier.pause({ operation, context }, asked, { cause, delayMs: retrier.backoff(asked) })
  }
}

/**
 * Tells the registry that nothing more comes. Whether it listens doesn't matter (rule R59).
 *
 * @param isHurried the run is about to be ended
 */
export async function cancelUpload(
  repository: RepositoryAccess,
  session: UploadSession,
  isHurried = false,
): Promise<void> {
  const timeoutMs = isHurried ? HURRIED_CANCEL_TIMEOUT_MS : CANCEL_TIMEOUT_MS
  using deadline = new Deadline(timeoutMs)
  const context = createContext({ signal: deadline.signal })
  try {
    const fields = { method: 'DELETE', target: session.location, access: 'push', attempts: 1 } as const
    const operation = 'cancelling of an upload'
    const { response } = await sendTo(repository, { ...fields, operation }, context)
    discard(response)
  } catch {
    // The registry throws old uploads away by itself.
  }
}
