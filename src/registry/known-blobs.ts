import type { Digest } from '../content/digest.js'

/** Which repositories of each registry are known, in this run, to hold which blobs: what can be mounted. */
export class KnownBlobs {
  readonly #repositories = new Map<string, Set<string>>()

  /** Remembers that a repository holds a blob. */
  add(registry: string, digest: Digest, repository: string): void {
    const key = `${registry} ${digest}`
    const known = this.#repositories.get(key)
    if (known === undefined) this.#repositories.set(key, new Set([repository]))
    else known.add(repository)
  }

  /** Another repository of the registry that holds the blob; undefined when none is known. */
  otherThan(registry: string, digest: Digest, repository: string): string | undefined {
    for (const known of this.#repositories.get(`${registry} ${digest}`) ?? []) {
      if (known !== repository) return known
    }
    return undefined
  }
}
