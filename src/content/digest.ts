import { createHash } from 'node:crypto'
import { ContentError } from './content-error.js'

/**
 * The digest of some bytes, as stored: the algorithm, a colon and lower-case hex.
 * Only {@link parseDigest} and the hashing functions of this file make one, so a value of this type is safe in a
 * URL and in a path (rule R204).
 */
export type Digest = `sha256:${string}` | `sha512:${string}`

/** The algorithms we trust. Others are refused, also registered ones (rule R208). */
export type DigestAlgorithm = 'sha256' | 'sha512'

const HEX_LENGTH: Record<DigestAlgorithm, number> = { sha256: 64, sha512: 128 }

/**
 * Checks the syntax of a digest (image-spec, Descriptors, Digests).
 *
 * @throws ContentError `bad-digest` when it is malformed, in upper case, or of an algorithm that we don't trust
 */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new ContentError(`"${excerpt(text)}" is not a digest: ${whyNoDigest(text)}`, {
      kind: 'corrupt',
      code: 'bad-digest',
    })
  }
  return text
}

/** Whether `text` is a digest that {@link parseDigest} accepts. */
export function isDigest(text: string): text is Digest {
  const [algorithm, hex, ...rest] = text.split(':')
  if (rest.length > 0 || hex === undefined || (algorithm !== 'sha256' && algorithm !== 'sha512')) return false
  return hex.length === HEX_LENGTH[algorithm] && /^[0-9a-f]+$/.test(hex)
}

function whyNoDigest(text: string): string {
  const colon = text.indexOf(':')
  if (colon < 0) return 'it names no algorithm, as in sha256:<64 hex digits>'
  const algorithm = text.slice(0, colon)
  if (algorithm !== 'sha256' && algorithm !== 'sha512') {
    return `the algorithm "${excerpt(algorithm, 20)}" is not one of sha256, sha512`
  }
  const hex = text.slice(colon + 1)
  if (/^[0-9a-fA-F]+$/.test(hex) && hex.length === HEX_LENGTH[algorithm]) return 'its hex must be lower-case'
  return `${algorithm} takes ${HEX_LENGTH[algorithm]} hex digits`
}

function excerpt(text: string, length = 100): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?')
  return printable.length > length ? `${printable.slice(0, length)}…` : printable
}

/** The algorithm of a digest. */
export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}

/** The hex of a digest, without its algorithm. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** The first 12 hex characters, as people see a digest. */
export function shortDigest(digest: Digest): string {
  return hexOf(digest).slice(0, 12)
}

/** The digest of bytes in memory. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return new Digester(algorithm).update(bytes).digest()
}

/** Hashes bytes as they pass. */
export class Digester {
  readonly #algorithm: DigestAlgorithm
  readonly #hash
  /** How many bytes have been hashed. */
  size = 0

  constructor(algorithm: DigestAlgorithm = 'sha256') {
    this.#algorithm = algorithm
    this.#hash = createHash(algorithm)
  }

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes)
    this.size += bytes.length
    return this
  }

  /** The digest of everything so far. Called once, at the end. */
  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest('hex')}`
  }
}
