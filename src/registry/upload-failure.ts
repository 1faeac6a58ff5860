import { algorithmOf, type Digest } from '../content/digest.js'
import { digestHeaderOf, responseError } from './access.js'
import { readErrorBody } from './error-body.js'
import { RegistryError } from './registry-error.js'
import { isRetryableStatus } from './retry.js'
import { isSuccess } from './send.js'
import { STRANGE_UPLOAD, type UploadAnswer } from './upload-send.js'

/** Why an upload did not come to its end. */
export interface UploadFailure {
  readonly error: RegistryError
  /** What the registry said; undefined when the connection broke. */
  readonly answer?: UploadAnswer
}

/**
 * What to do about a failure:
 *
 * - `look`: see how much the registry has, and go on there
 * - `smaller`: the same, with less at once
 * - `chunks`: the same, in chunks instead of one piece
 * - `restart`: begin a new upload
 * - `restart-once`: the bytes that the registry put together are wrong, which one whole upload may mend
 * - `fail`: it does not get better
 */
export type Advice = 'look' | 'smaller' | 'chunks' | 'restart' | 'restart-once' | 'fail'

/** What a registry says when it has no way to take a blob in one piece (rule R56). */
const NOT_IN_ONE_PIECE = new Set([400, 404, 405, 411, 415, 501])

/** Whether no answer came. */
export function isBreak({ error }: UploadFailure): boolean {
  return error.status === undefined
}

/** Whether an error that a request of an upload ended with leaves something to try. */
export function mayBeMended({ kind, status, code }: RegistryError): boolean {
  return (kind === 'network' && status === undefined) || code === STRANGE_UPLOAD
}

/**
 * Decides what a failure calls for (rules R55, R56, R60, R240 to R242).
 *
 * @param isPartial some of the upload went up by PATCH
 * @param isAgain something went wrong before: what the registry has may be more than it said
 */
export function adviseOn({ error, answer }: UploadFailure, isPartial: boolean, isAgain = false): Advice {
  if (answer === undefined) return error.code === STRANGE_UPLOAD ? 'restart' : 'look'
  const { status } = answer.response
  const { codes } = error
  if (status === 413) return 'smaller'
  if (codes.includes('DIGEST_INVALID')) return isPartial || isAgain ? 'restart-once' : 'fail'
  if (codes.some(code => code.startsWith('BLOB_UPLOAD_'))) return 'restart'
  // Not every registry keeps an upload that it failed to write.
  if (status === 500) return 'restart'
  if (status === 409 || status === 416 || isRetryableStatus(status)) return 'look'
  if (isPartial) return status === 400 || status === 404 ? 'restart' : 'fail'
  if (codes.some(code => code.startsWith('NAME_') || code === 'SIZE_INVALID')) return 'fail'
  return NOT_IN_ONE_PIECE.has(status) ? 'chunks' : 'fail'
}

/** A failure in a few words. */
export function causeOf({ error, answer }: UploadFailure): string {
  if (answer === undefined) return error.outcome
  const { text } = readErrorBody(answer.response.bytes)
  return `answered ${answer.response.status}${text === '' ? '' : ` (${text})`}`
}

/** The error for an answer that is no success. */
export function refusalOf(
  { request, response }: UploadAnswer,
  digest: Digest,
  attempts: number,
): RegistryError {
  const algorithm = algorithmOf(digest)
  const isDigestRefused = response.status === 400 && algorithm !== 'sha256'
  const hint = isDigestRefused ? `This registry may not support ${algorithm}` : undefined
  return responseError(request, { ...response, attempts }, { missing: 'the upload was', hint })
}

/**
 * Whether an answer says that the registry found the right digest, or leaves no doubt that it refuses for another reason. Not
 * every registry that finds a wrong one says so in the same way.
 */
export function isConfirmed({ request, response }: UploadAnswer, digest: Digest): boolean {
  const { status } = response
  if (isSuccess(status)) return digestHeaderOf(response) === digest
  return request.method !== 'PUT' || (status !== 400 && status < 500)
}

/** @throws RegistryError `digest-mismatch` when the registry stored something else than was sent */
export function checkStored({ request, response }: UploadAnswer, digest: Digest): void {
  const stored = digestHeaderOf(response)
  if (stored === undefined || stored === digest || stored.split(':')[0] !== algorithmOf(digest)) return
  throw new RegistryError(request.operation, {
    kind: 'corrupt',
    code: 'digest-mismatch',
    method: request.method,
    url: response.url,
    status: response.status,
    outcome: `answered ${response.status} but stored another digest`,
  })
}
