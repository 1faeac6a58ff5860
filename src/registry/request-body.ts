import { OutgoingBody, SMALL_BODY_BYTES } from '../http/outgoing-body.js'
import type { StallClock } from '../http/stall-clock.js'
import { BodySourceError, type RegistryRequest } from './send.js'

/** A request's body, opened for one exchange. */
export interface OpenedBody {
  /** Given whole when it is small. */
  body: OutgoingBody | Uint8Array | undefined
  headers: Record<string, string>
}

/** Of these, a server wants to know that there is no body (RFC 9110, section 8.6). */
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

/**
 * Opens the body of a request.
 *
 * @param clock is wound as the body is sent: it runs while the socket takes nothing, and stands while the source has
 *   nothing to give
 * @throws BodySourceError
 */
export async function openRequestBody(request: RegistryRequest, clock: StallClock): Promise<OpenedBody> {
  const { body, method } = request
  const length = body?.length ?? 0
  const headers: Record<string, string> =
    body !== undefined || WITH_BODY.has(method) ? { 'content-length': `${length}` } : {}
  if (body === undefined) return { body: undefined, headers }
  try {
    const source = await body.open()
    const isSmall =
      source instanceof Uint8Array && source.length <= SMALL_BODY_BYTES && source.length === length
    return { body: isSmall ? source : new OutgoingBody(source, length, clock), headers }
  } catch (error) {
    throw new BodySourceError(error)
  }
}

/** What the server has to see to before it answers. */
export function movedBytesOf({ movedBytes, body }: RegistryRequest): number {
  return movedBytes ?? body?.length ?? 0
}
