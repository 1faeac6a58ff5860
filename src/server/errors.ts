import type { ServerResponse } from 'node:http'
import { type ErrorKind, messageOf, RegctlError, systemCodeOf } from '../errors.js'

/**
 * The code of an error as clients see it (distribution-spec, Error Codes; the last three are those that
 * registries add), with the status that goes with it when nothing else is said.
 */
const STATUS_OF_CODE = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  TAG_INVALID: 400,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  UNKNOWN: 500,
} as const

export type RegistryErrorCode = keyof typeof STATUS_OF_CODE

/** An answer to a request that is not what its sender hoped for. The message is for the client to read. */
export class RegistryError extends RegctlError {
  readonly registryCode: RegistryErrorCode
  readonly status: number
  /** More headers for the answer: where an upload stands, say. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    registryCode: RegistryErrorCode,
    message: string,
    options: { status?: number; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    const status = options.status ?? STATUS_OF_CODE[registryCode]
    super(message, {
      kind: kindOf(status),
      code: registryCode.toLowerCase().replaceAll('_', '-'),
      cause: options.cause,
    })
    this.registryCode = registryCode
    this.status = status
    this.headers = options.headers ?? {}
  }
}

function kindOf(status: number): ErrorKind {
  if (status === 404) return 'not-found'
  return status === 401 || status === 403 ? 'denied' : 'failed'
}

/**
 * The answer for whatever was thrown. Errors of the store beneath are told by their kind; what is no error
 * of ours is a fault here, and the client learns no more than that.
 */
export function toRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error
  const message = messageOf(error)
  if (error instanceof RegctlError) {
    if (error.code === 'read-only') return new RegistryError('UNSUPPORTED', message, { cause: error })
    if (error.code === 'digest-mismatch')
      return new RegistryError('DIGEST_INVALID', message, { cause: error })
    if (error.code === 'size-mismatch') return new RegistryError('SIZE_INVALID', message, { cause: error })
    if (error.kind === 'denied') return new RegistryError('DENIED', message, { cause: error })
    if (error.kind === 'not-found')
      return new RegistryError('UNKNOWN', message, { status: 404, cause: error })
  }
  if (isOutOfSpace(error)) {
    return new RegistryError('UNKNOWN', 'the registry has no room left on its disk', {
      status: 507,
      cause: error,
    })
  }
  return new RegistryError('UNKNOWN', 'the registry failed; its log says why', { cause: error })
}

/** Whether something failed for want of room on the disk, or because its owner may have no more of it. */
export function isOutOfSpace(error: unknown): boolean {
  if (error instanceof RegistryError && error.status === 507) return true
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCodeOf(error) ?? '')) return true
  return error instanceof Error && error.cause !== undefined && isOutOfSpace(error.cause)
}

/** Sends an error, as JSON of the form that the specification gives (distribution-spec, Error Codes). */
export function sendError(response: ServerResponse, error: RegistryError, withBody: boolean): void {
  const body = Buffer.from(
    JSON.stringify({ errors: [{ code: error.registryCode, message: error.message, detail: null }] }),
  )
  response.writeHead(error.status, {
    ...error.headers,
    'Content-Type': 'application/json',
    'Content-Length': body.length,
  })
  response.end(withBody ? body : undefined)
}
