import type { Readable } from 'node:stream'
import { createContext } from '../content/context.js'
import { algorithmOf, type Digest } from '../content/digest.js'
import type { BlobContent, Context } from '../content/store.js'
import { InterruptedError, type RegctlError } from '../errors.js'
import { digestHeaderOf, type RepositoryAccess, responseError, sendTo } from './access.js'
import { negotiatedChunkBytes, piecesOf, smallerChunks } from './blob-chunks.js'
import { headBlob } from './blobs.js'
import { readErrorBody } from './error-body.js'
import { RegistryError } from './registry-error.js'
import { isRetryableStatus } from './retry.js'
import {
  BodySourceError,
  discard,
  headerOf,
  isSuccess,
  type RegistryRequest,
  type RegistryResponse,
} from './send.js'
import { appendQuery, resolveServerUrl, UnsafeUrlError } from './urls.js'

/** How often a blob is sent at most: at first, and three times from the start again (rule R241). */
const MAXIMUM_UPLOADS = 4
const CANCEL_TIMEOUT_MS = 5_000

/** An upload that the registry has opened. */
interface Upload {
  /** Where to go on. Each answer may replace it (rule R46). */
  location: URL
  /** What opened it: it may ask for chunks of a certain size. Undefined after a mount that was not done. */
  readonly opened?: RegistryResponse
}

/** What became of one try to send a blob: done, or a reason to start again. */
type Outcome = 'done' | { cause: string; error: RegctlError; delayMs: number; isTooLarge?: boolean }

/**
 * Uploads a blob by POST and one PUT (distribution-spec, POST then PUT; rules R38 to R46), in chunks where that is refused
 * as too large (rules R55, R56), or has it mounted from another
 * repository of the registry (Mounting a blob from another repository; rules R63 to R67).
 *
 * An upload whose end is not known is looked up, and one that failed begins anew (rules R240, R241); one that is given
 * up is cancelled (rule R59).
 *
 * @param mountFrom a repository of the same registry that has the blob; undefined to send the bytes
 */
export async function uploadBlob(
  repository: RepositoryAccess,
  blob: BlobContent,
  mountFrom: string | undefined,
  context: Context,
): Promise<'copied' | 'mounted'> {
  const { retrier } = repository.client
  const operation = `push of blob ${blob.descriptor.digest} to ${repository.label}`
  let upload =
    mountFrom === undefined ? undefined : await tryMount(repository, blob, mountFrom, operation, context)
  if (upload === 'mounted') return 'mounted'
  let chunkBytes: number | undefined
  for (let attempt = 1; ; attempt++) {
    upload ??= await startUpload(repository, blob.descriptor.digest, operation, context)
    const outcome = await finishUpload(repository, upload, blob, chunkBytes, operation, attempt, context)
    if (outcome === 'done') return 'copied'
    if (outcome.isTooLarge === true) {
      chunkBytes = smallerChunks(chunkBytes)
      if (chunkBytes === undefined) throw outcome.error
    } else if (attempt >= MAXIMUM_UPLOADS) throw outcome.error
    await retrier.pause({ operation, context }, attempt, outcome)
    upload = undefined
  }
}

/** Any failure of a mount only means that the bytes must be sent (rule R66). */
async function tryMount(
  repository: RepositoryAccess,
  blob: BlobContent,
  from: string,
  operation: string,
  context: Context,
): Promise<Upload | 'mounted' | undefined> {
  try {
    const { request, response } = await sendTo(
      repository,
      {
        operation,
        method: 'POST',
        target: `blobs/uploads/?mount=${blob.descriptor.digest}&from=${encodeURIComponent(from)}`,
        access: 'push',
        alsoPull: from,
        attempts: 1,
      },
      context,
    )
    discard(response)
    if (response.status === 201) return 'mounted'
    return response.status === 202 ? { location: locationOf(repository, request, response) } : undefined
  } catch (error) {
    if (context.signal.aborted) throw new InterruptedError(`${operation} was interrupted`, error)
    return undefined
  }
}

/** Opens an upload (distribution-spec, POST then PUT). */
export async function startUpload(
  repository: RepositoryAccess,
  digest: Digest,
  operation: string,
  context: Context,
): Promise<Upload> {
  const algorithm = algorithmOf(digest)
  const query = algorithm === 'sha256' ? '' : `?digest-algorithm=${algorithm}`
  const { request, response } = await sendTo(
    repository,
    { operation, method: 'POST', target: `blobs/uploads/${query}`, access: 'push' },
    context,
  )
  discard(response)
  if (!isSuccess(response.status)) throw responseError(request, response)
  return { location: locationOf(repository, request, response), opened: response }
}

function locationOf(repository: RepositoryAccess, request: RegistryRequest, response: RegistryResponse): URL {
  const fail = (outcome: string) =>
    new RegistryError(request.operation, {
      kind: 'network',
      code: 'bad-location',
      method: request.method,
      url: response.url,
      status: response.status,
      outcome: `answered ${response.status}: ${outcome}`,
    })
  const text = headerOf(response, 'location')
  if (text === undefined) throw fail('it has no Location to send the bytes to')
  try {
    return resolveServerUrl(text, response.url, request.endpoint, 'Location', repository.client.policy)
  } catch (error) {
    if (error instanceof UnsafeUrlError) throw fail(`${error.message}, which is refused`)
    throw error
  }
}

/** Sends the bytes, and finds out what became of them. */
async function finishUpload(
  repository: RepositoryAccess,
  upload: Upload,
  blob: BlobContent,
  chunkBytes: number | undefined,
  operation: string,
  attempt: number,
  context: Context,
): Promise<Outcome> {
  const { digest } = blob.descriptor
  try {
    const { request, response } = await sendBytes(repository, upload, blob, chunkBytes, operation, context)
    discard(response)
    if (isSuccess(response.status)) return checkStored(request, response, digest)
    const error = putError(request, { ...response, attempts: attempt }, digest)
    const isTooLarge = wantsChunks(response.status, chunkBytes) && blob.descriptor.size > 0
    if (!isTooLarge && !mayStartAgain(response, error)) throw error
    const delayMs = isTooLarge ? 0 : repository.client.retrier.delayAfter(response, attempt)
    if (delayMs === undefined) throw error
    await cancelUpload(repository, upload)
    const cause = `${response.status} ${readErrorBody(response.bytes).text}`.trim()
    return { cause, error, delayMs, isTooLarge }
  } catch (error) {
    if (error instanceof RegistryError && error.status === undefined && error.kind === 'network') {
      return await afterLostReply(repository, upload, blob, error, attempt, context)
    }
    await cancelUpload(repository, upload)
    throw error instanceof BodySourceError ? error.cause : error
  }
}

/** Sends a blob in one PUT, or in chunks with an empty PUT at the end (distribution-spec, Pushing a blob in chunks; rules R47, R51). */
async function sendBytes(
  repository: RepositoryAccess,
  upload: Upload,
  blob: BlobContent,
  chunkBytes: number | undefined,
  operation: string,
  context: Context,
) {
  const { digest, size } = blob.descriptor
  // What goes wrong here is for the caller to mend: no request of an upload is repeated blindly.
  const common = { operation, access: 'push', attempts: 1 } as const
  const type = { 'content-type': 'application/octet-stream' }
  if (chunkBytes !== undefined) {
    let offset = 0
    const pieceBytes = negotiatedChunkBytes(chunkBytes, upload.opened)
    for await (const piece of piecesOf(await openSource(blob), pieceBytes)) {
      const range = `${offset}-${offset + piece.length - 1}`
      const body = { length: piece.length, open: async () => piece }
      const headers = { ...type, 'content-range': range }
      const sent = await sendTo(
        repository,
        { ...common, method: 'PATCH', target: upload.location, headers, body },
        context,
      )
      if (!isSuccess(sent.response.status)) return sent
      discard(sent.response)
      offset += piece.length
      if (headerOf(sent.response, 'location') !== undefined) {
        upload.location = locationOf(repository, sent.request, sent.response)
      }
    }
  }
  const body = chunkBytes === undefined ? { length: size, open: () => blob.open(0) } : undefined
  const target = appendQuery(upload.location, 'digest', digest)
  return await sendTo(
    repository,
    { ...common, method: 'PUT', target, headers: type, ...(body !== undefined && { body }) },
    context,
  )
}

async function openSource(blob: BlobContent): Promise<Readable> {
  try {
    return await blob.open(0)
  } catch (error) {
    throw new BodySourceError(error)
  }
}

/** No answer came: the blob may be there all the same (rule R240). */
async function afterLostReply(
  repository: RepositoryAccess,
  upload: Upload,
  blob: BlobContent,
  error: RegistryError,
  attempt: number,
  context: Context,
): Promise<Outcome> {
  try {
    const status = await headBlob(repository, blob.descriptor.digest, 'push', context)
    if (status.state === 'present' && (status.size ?? blob.descriptor.size) === blob.descriptor.size)
      return 'done'
  } catch (headError) {
    await cancelUpload(repository, upload)
    throw headError instanceof InterruptedError ? headError : error
  }
  await cancelUpload(repository, upload)
  return { cause: error.message, error, delayMs: repository.client.retrier.backoff(attempt) }
}

/** Too much at once may get through in smaller chunks; another refusal of one piece is tried once in chunks (rules R55, R56). */
function wantsChunks(status: number, chunkBytes: number | undefined): boolean {
  return status === 413 || (chunkBytes === undefined && [405, 411, 415, 501].includes(status))
}

/** A lost or stale upload begins anew (rule R241); a wrong digest or a refusal does not get better. */
function mayStartAgain(response: RegistryResponse, { codes }: RegistryError): boolean {
  if (isRetryableStatus(response.status) || response.status === 404 || response.status === 416) return true
  return response.status === 400 && codes.some(code => code.startsWith('BLOB_UPLOAD_'))
}

function putError(request: RegistryRequest, response: RegistryResponse, digest: Digest): RegistryError {
  const isDigestRefused = response.status === 400 && algorithmOf(digest) !== 'sha256'
  return responseError(request, response, {
    missing: 'the upload was',
    hint: isDigestRefused ? `This registry may not support ${algorithmOf(digest)}` : undefined,
  })
}

function checkStored(request: RegistryRequest, response: RegistryResponse, digest: Digest): 'done' {
  const stored = digestHeaderOf(response)
  if (stored === undefined || stored === digest || stored.split(':')[0] !== algorithmOf(digest)) return 'done'
  throw new RegistryError(request.operation, {
    kind: 'corrupt',
    code: 'digest-mismatch',
    method: request.method,
    url: response.url,
    status: response.status,
    outcome: `answered ${response.status} but stored another digest`,
  })
}

/** Tells the registry that nothing more comes. Whether it listens doesn't matter (rule R59). */
export async function cancelUpload(repository: RepositoryAccess, upload: Upload): Promise<void> {
  const context = createContext({ signal: AbortSignal.timeout(CANCEL_TIMEOUT_MS) })
  try {
    const fields = { method: 'DELETE', target: upload.location, access: 'push', attempts: 1 } as const
    const { response } = await sendTo(
      repository,
      { ...fields, operation: 'cancelling of an upload' },
      context,
    )
    discard(response)
  } catch {
    // The registry throws old uploads away by itself.
  }
}
