import type { BlobContent, Context } from '../content/store.js'
import { type RepositoryAccess, sendTo } from './access.js'
import type { OpenUpload } from './open-uploads.js'
import { RegistryError } from './registry-error.js'
import { discard, headerOf, isSuccess, type RegistryRequest, type RegistryResponse } from './send.js'
import type { UploadLimit } from './upload-limits.js'
import { offsetAfterChunk } from './upload-range.js'
import { locationOf, type UploadSession } from './upload-session.js'
import type { UploadSource } from './upload-source.js'
import { appendQuery } from './urls.js'

/** What one upload is done with. */
export interface UploadWork {
  readonly repository: RepositoryAccess
  readonly blob: BlobContent
  readonly source: UploadSource
  readonly limit: UploadLimit
  /** Remembers the upload for the next run; undefined when nothing is remembered. */
  readonly memory: OpenUpload | undefined
  /** For messages: `push of blob sha256:… to localhost:5000/app`. */
  readonly operation: string
  readonly context: Context
}

/** The last answer to an upload: the blob is in place, or this is why not. */
export interface UploadAnswer {
  readonly request: RegistryRequest
  readonly response: RegistryResponse
}

/** The code of the error for a Range that shows another upload than ours (rule R49). */
export const STRANGE_UPLOAD = 'strange-upload'

/** Not that of a form, which some registries would take the body for (rule R39). */
const TYPE = { 'content-type': 'application/octet-stream' }
/** What goes wrong here is for the caller to mend: no request of an upload is repeated blindly (rule R240). */
const ONCE = { access: 'push', attempts: 1 } as const

/**
 * Sends what the registry does not have yet: by one PUT at the start (distribution-spec, POST then PUT; rules R38 to R40),
 * and else by PATCH, in chunks where they are wanted, with an empty PUT at the end (Pushing a blob in chunks; rules R47,
 * R51). One piece is tried first: at ECR, GHCR and Artifact Registry chunks are not to be relied on (rules R52 to R54). The
 * length of each request is said, since not every registry takes a stream without one (rule R57). `session` tells afterwards how far it went.
 *
 * @throws RegistryError of kind `network` when no answer came, RegistryError `strange-upload`, BodySourceError
 */
export async function sendRest(work: UploadWork, session: UploadSession): Promise<UploadAnswer> {
  const { size } = work.blob.descriptor
  if (!session.isPartial && isOnePiece(work, session)) return await put(work, session, size)
  while (session.acknowledged < size) {
    const answer = await patch(work, session)
    if (!isSuccess(answer.response.status)) return answer
  }
  return await put(work, session, 0)
}

/** How many bytes the next request has. */
export function nextLength(
  { blob, limit }: UploadWork,
  { acknowledged, chunkLimits }: UploadSession,
): number {
  const rest = blob.descriptor.size - acknowledged
  const wanted = Math.max(limit.chunkBytes ?? rest, chunkLimits.least)
  return Math.min(wanted, chunkLimits.most, rest)
}

function isOnePiece(work: UploadWork, session: UploadSession): boolean {
  const { size } = work.blob.descriptor
  return size === 0 || (!work.limit.onlyChunks && nextLength(work, session) === size)
}

async function patch(work: UploadWork, session: UploadSession): Promise<UploadAnswer> {
  const from = session.acknowledged
  const length = nextLength(work, session)
  const end = from + length
  session.isPartial = true
  const headers = { ...TYPE, 'content-range': `${from}-${end - 1}` }
  const answer = await send(work, session, 'PATCH', session.location, headers, length)
  const { request, response } = answer
  if (!isSuccess(response.status)) return answer
  discard(response)
  work.limit.succeed(length)
  session.location = locationOf(work.repository, request, response) ?? session.location
  const offset = offsetAfterChunk(headerOf(response, 'range'), end)
  if (offset === undefined) throw strangeUpload(request, response)
  session.acknowledged = offset
  await work.memory?.save(session.location, offset)
  return answer
}

async function put(work: UploadWork, session: UploadSession, length: number): Promise<UploadAnswer> {
  const target = appendQuery(session.location, 'digest', work.blob.descriptor.digest)
  return await send(work, session, 'PUT', target, TYPE, length)
}

async function send(
  { repository, blob, source, limit, operation, context }: UploadWork,
  session: UploadSession,
  method: 'PUT' | 'PATCH',
  target: URL,
  headers: Readonly<Record<string, string>>,
  length: number,
): Promise<UploadAnswer> {
  session.requested = length
  const body = source.body(session.acknowledged, length, offset => {
    session.sent = Math.max(session.sent, offset)
  })
  return await sendTo(
    repository,
    {
      ...ONCE,
      operation,
      method,
      target,
      headers,
      // The registry may read the whole blob again before it answers.
      ...(method === 'PUT' && { movedBytes: blob.descriptor.size }),
      closes: limit.freshConnections && length > 0,
      ...(length > 0 && { body }),
    },
    context,
  )
}

function strangeUpload(
  { operation, method }: RegistryRequest,
  { url, status }: RegistryResponse,
): RegistryError {
  const outcome = `answered ${status}: it has more of the upload than was sent`
  return new RegistryError(operation, { kind: 'network', code: STRANGE_UPLOAD, method, url, status, outcome })
}
