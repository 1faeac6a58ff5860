/**
 * What went wrong between us and a server, below HTTP's own statuses:
 *
 * - `HTTP_CLOSED`: the connection ended before the answer did
 * - `HTTP_MALFORMED`: what came is no HTTP/1.1 that we understand
 * - `HTTP_HEAD_TOO_LARGE`: status line and fields are longer than is read
 * - `HTTP_CONNECT_TIMEOUT`: there was no connection in time
 * - `HTTP_PROXY_TIMEOUT`: a proxy did not say in time whether it reaches the host
 * - `HTTP_PROXY_REFUSED`: a proxy does not connect us; `status` has its answer
 * - `HTTP_DISPOSED`: the client was closed meanwhile, so that nobody waits for the answer
 * - `HTTP_BODY_LENGTH`: the body to be sent is not as long as was announced
 * - `HTTP_BAD_REQUEST`: what was to be sent can't stand in a request
 */
export type HttpErrorCode =
  | 'HTTP_CLOSED'
  | 'HTTP_MALFORMED'
  | 'HTTP_HEAD_TOO_LARGE'
  | 'HTTP_CONNECT_TIMEOUT'
  | 'HTTP_PROXY_TIMEOUT'
  | 'HTTP_PROXY_REFUSED'
  | 'HTTP_DISPOSED'
  | 'HTTP_BODY_LENGTH'
  | 'HTTP_BAD_REQUEST'

/** An exchange failed by what came or did not come. Errors of the system are passed on as they are. */
export class HttpError extends Error {
  readonly code: HttpErrorCode
  /** That of a proxy which refused. */
  readonly status: number | undefined

  constructor(
    code: HttpErrorCode,
    message: string,
    { status, cause }: { status?: number; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = status
  }
}

/** The source of a request's body failed, and so the request: `cause` tells why. The server has nothing to do with it. */
export class RequestSourceError extends Error {
  constructor(cause: unknown) {
    super('the source of the request body failed', { cause })
  }
}
