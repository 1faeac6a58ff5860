import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { joinStreams } from '../content/join-streams.js'
import type { Context } from '../content/store.js'
import { withoutStart } from '../content/without-start.js'
import { type RepositoryAccess, responseError, sendTo } from './access.js'
import { RegistryError } from './registry-error.js'
import { bodyFrom, type ResponseBody, streamOf } from './response-body.js'
import { contentLengthOf, discard, headerOf, type RegistryRequest, type RegistryResponse } from './send.js'

/** The most times that a store is asked whose address the registry told, and which then denies it (rule R34). */
const MAXIMUM_REDIRECTIONS = 3

/** What a server sent of a blob. */
export interface BlobBody {
  /** The bytes from where they were asked for, not verified. */
  readonly chunks: ResponseBody
  /** It says that they are compressed once more, which is mostly not true (rule R13). */
  readonly isEncoded: boolean
  /** The registry says that it gives parts of it as well. */
  readonly givesRanges: boolean
}

/** How a blob is asked for. */
export interface BlobRequest {
  /** The byte offset. */
  readonly from: number
  /** Undo the Content-Encoding, since the bytes are not right as they are (rule R13). */
  readonly decode: boolean
}

/**
 * Opens a blob from a byte offset on (distribution-spec, Pulling blobs; rules R32 to R36). Where the registry doesn't
 * understand the range, it is asked for all of it, and the start is thrown away.
 *
 * @returns the bytes as they come, not verified; the caller destroys them when it stops early
 */
export async function openBlobOnce(
  repository: RepositoryAccess,
  descriptor: Descriptor,
  context: Context,
  asked: BlobRequest,
): Promise<BlobBody> {
  const { from, decode } = asked
  if (from > 0 && from >= descriptor.size)
    return { chunks: Readable.from([]), isEncoded: false, givesRanges: false }
  const start = decode ? 0 : from
  let { request, response } = await requestBlob(repository, descriptor.digest, start, context)
  if (start > 0 && !isRangeOf(response, start) && (response.status === 206 || response.status === 416)) {
    response.body.destroy()
    ;({ request, response } = await requestBlob(repository, descriptor.digest, 0, context))
  }
  return bodyOf(request, response, descriptor, asked)
}

/**
 * The bytes of an answer from an offset on, whether or not the server heeded the range (rules R35, R36).
 *
 * @throws RegistryError `bad-range` for another range than was asked for, `something-else` for a page instead of a blob
 */
export function bodyOf(
  request: RegistryRequest,
  response: RegistryResponse,
  descriptor: Descriptor,
  { from, decode }: BlobRequest,
): BlobBody {
  const isEncoded = /^(?:x-)?gzip$/i.test(headerOf(response, 'content-encoding') ?? '')
  if (response.status === 206 && from > 0) {
    if (isRangeOf(response, from)) return { chunks: response.body, isEncoded, givesRanges: !isEncoded }
    response.body.destroy()
    throw badRange(request, response, from)
  }
  if (response.status !== 200) {
    discard(response)
    throw responseError(request, response, { missing: 'the blob was' })
  }
  refusePage(request, response, descriptor)
  const whole = decode && isEncoded ? joinStreams(streamOf(response.body), createGunzip()) : response.body
  const end = (error?: Error) => whole.destroy(error)
  const chunks = from === 0 ? whole : bodyFrom(withoutStart(whole, from), end)
  const givesRanges = !isEncoded && /^bytes$/i.test(headerOf(response, 'accept-ranges') ?? '')
  return { chunks, isEncoded, givesRanges }
}

/**
 * Asks for a part of a blob.
 *
 * @param to the offset after its last byte
 * @param attempts the most times that it is asked for; the client's default when undefined
 * @throws RegistryError when the registry doesn't give just that
 */
export async function openBlobRange(
  repository: RepositoryAccess,
  { digest }: Descriptor,
  context: Context,
  { from, to, attempts }: { from: number; to: number; attempts: number | undefined },
): Promise<ResponseBody> {
  const { request, response } = await sendTo(
    repository,
    {
      operation: `pull of blob ${digest} from ${repository.label}`,
      method: 'GET',
      target: `blobs/${digest}`,
      access: 'pull',
      headers: { 'accept-encoding': 'identity', range: `bytes=${from}-${to - 1}` },
      ...(attempts !== undefined && { attempts }),
    },
    context,
  )
  if (isRangeOf(response, from) && contentLengthOf(response) === to - from) return response.body
  response.body.destroy()
  if (response.status === 206) throw badRange(request, response, from)
  throw responseError(request, response)
}

/** Asks for a blob. A store that denies what the registry has just allowed is asked by a fresh address (rule R34). */
export async function requestBlob(
  repository: RepositoryAccess,
  digest: Digest,
  from: number,
  context: Context,
): Promise<{ request: RegistryRequest; response: RegistryResponse }> {
  const identity = { 'accept-encoding': 'identity' }
  const fields = {
    operation: `pull of blob ${digest} from ${repository.label}`,
    method: 'GET',
    target: `blobs/${digest}`,
    access: 'pull',
    // Without If-Range: the store that this leads to may have another ETag, and the digest shows what is wrong (rule R246).
    headers: from > 0 ? { ...identity, range: `bytes=${from}-` } : identity,
  } as const
  for (let attempt = 1; ; attempt++) {
    const { request, response } = await sendTo(repository, fields, context)
    const isStore = response.url.origin !== request.url.origin
    if (response.status !== 403 || !isStore || attempt === MAXIMUM_REDIRECTIONS) return { request, response }
    discard(response)
    const { retrier } = repository.client
    const cause = `${response.url.host}, to which the registry leads, answered 403`
    await retrier.pause(request, attempt, { cause, delayMs: retrier.backoff(attempt) })
  }
}

/** Whether an answer is the one part that was asked for: several parts have another type (rule R36). */
function isRangeOf(response: RegistryResponse, from: number): boolean {
  if (response.status !== 206) return false
  if (/^multipart\//i.test(headerOf(response, 'content-type') ?? '')) return false
  const range = headerOf(response, 'content-range') ?? ''
  const start = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(range)?.[1]
  return start !== undefined && Number(start) === from
}

function badRange(request: RegistryRequest, response: RegistryResponse, from: number): RegistryError {
  return new RegistryError(request.operation, {
    kind: 'network',
    code: 'bad-range',
    method: request.method,
    url: response.url,
    status: response.status,
    outcome: `answered 206 with another range than the one from byte ${from} on`,
  })
}

/** Login pages and the like answer 200 to everything (rule R37). */
function refusePage(request: RegistryRequest, response: RegistryResponse, descriptor: Descriptor): void {
  const type = headerOf(response, 'content-type') ?? ''
  const isPage = /^text\/html\b/i.test(type) && !/html/i.test(descriptor.mediaType)
  if (!isPage || contentLengthOf(response) === descriptor.size) return
  response.body.destroy()
  throw new RegistryError(request.operation, {
    kind: 'corrupt',
    code: 'something-else',
    method: request.method,
    url: response.url,
    status: response.status,
    outcome: `answered with something else (text/html)`,
    hint: 'A proxy or login page may stand between here and the registry',
  })
}
