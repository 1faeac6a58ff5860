import type { Digest } from '../content/digest.js'

/** What is known of the bytes that came for a blob. */
interface Doubt {
  /** They were said to be compressed once more. */
  isEncoded: boolean
  /** They came in several parts. */
  isPieced: boolean
  /** What was tried already because they were wrong. */
  readonly tried: Set<'decoded' | 'whole' | 'again'>
}

/**
 * What a repository makes of blobs whose bytes were wrong: how to ask for them once more, and when to give up (rules
 * R13, R247). A blob that was right is never heard of.
 */
export class BlobDoubts {
  readonly #doubts = new Map<Digest, Doubt>()

  /** Whether the Content-Encoding is to be undone, since the bytes were wrong as they are. */
  isDecoded(digest: Digest): boolean {
    return this.#doubts.get(digest)?.tried.has('decoded') ?? false
  }

  /** Whether nothing was wrong with the bytes so far. */
  isTrusted(digest: Digest): boolean {
    return (this.#doubts.get(digest)?.tried.size ?? 0) === 0
  }

  /** The bytes were said to be compressed once more. */
  noteEncoded(digest: Digest): void {
    this.#of(digest).isEncoded = true
  }

  /** They came by several requests: a download broke off and was gone on with, or used several connections. */
  notePieced(digest: Digest): void {
    this.#of(digest).isPieced = true
  }

  /**
   * Takes note that the bytes were wrong.
   *
   * @returns whether they are worth asking for again: once decoded, once as a whole after they came in parts, and once more
   */
  reject(digest: Digest): boolean {
    const doubt = this.#of(digest)
    const next =
      doubt.isEncoded && !doubt.tried.has('decoded')
        ? 'decoded'
        : doubt.isPieced && !doubt.tried.has('whole')
          ? 'whole'
          : 'again'
    doubt.isPieced = false
    if (doubt.tried.has(next)) return false
    doubt.tried.add(next)
    return true
  }

  #of(digest: Digest): Doubt {
    const known = this.#doubts.get(digest) ?? { isEncoded: false, isPieced: false, tried: new Set() }
    this.#doubts.set(digest, known)
    return known
  }
}
