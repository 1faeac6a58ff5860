import type { Digest } from './digest.js'

/** Blobs in memory that several repositories share: the bytes stay as long as one repository holds on to them. */
export class MemoryBlobs {
  readonly #held = new Map<Digest, { bytes: Uint8Array; holders: number }>()

  get(digest: Digest): Uint8Array | undefined {
    return this.#held.get(digest)?.bytes
  }

  /** Takes one more hold on a blob. `bytes` are kept if they are the first of this digest. */
  hold(digest: Digest, bytes: Uint8Array): void {
    const entry = this.#held.get(digest) ?? { bytes, holders: 0 }
    entry.holders++
    this.#held.set(digest, entry)
  }

  /** Gives one hold back. */
  release(digest: Digest): void {
    const entry = this.#held.get(digest)
    if (entry === undefined) return
    entry.holders--
    if (entry.holders === 0) this.#held.delete(digest)
  }
}
