import type { IncomingMessage } from 'node:http'
import type { Digest } from '../content/digest.js'

/** The tag that says which content an answer has: its digest (rule R29; RFC 9110, section 8.8.3). */
export function entityTag(digest: Digest): string {
  return `"${digest}"`
}

/**
 * Whether a client says by `If-None-Match` that it has this content, so that it need not be sent (RFC 9110, section
 * 13.1.2). Some registries' clients write the digest without quotes.
 */
export function isKnown({ headers }: IncomingMessage, digest: Digest): boolean {
  const tags = (headers['if-none-match'] ?? '').split(',').map(tag => tag.trim().replace(/^W\//, ''))
  return tags.some(tag => tag === '*' || tag === entityTag(digest) || tag === digest)
}

/** Whether `If-Range`, if there is one, names this content: else the whole is to be sent (RFC 9110, section 13.1.5). */
export function mayBeRange({ headers }: IncomingMessage, digest: Digest): boolean {
  const condition = headers['if-range']
  return condition === undefined || condition === entityTag(digest)
}
