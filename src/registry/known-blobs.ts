import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'

/**
 * Which repositories of each registry are known, in this run, to hold which blobs: what need not be asked for again, and
 * what can be mounted.
 */
export class KnownBlobs {
  /** By registry and digest: the size in each repository. */
  readonly #repositories = new Map<string, Map<string, number>>()

  /** Remembers that a repository holds a blob of this digest and size. */
  add(registry: string, { digest, size }: Descriptor, repository: string): void {
    const key = `${registry} ${digest}`
    const known = this.#repositories.get(key) ?? new Map<string, number>()
    this.#repositories.set(key, known.set(repository, size))
  }

  /** Whether a repository is known to hold a blob. */
  has(registry: string, { digest, size }: Descriptor, repository: string): boolean {
    return this.#repositories.get(`${registry} ${digest}`)?.get(repository) === size
  }

  /** Forgets that a repository holds a blob, since it turned out not to. */
  remove(registry: string, digest: Digest, repository: string): void {
    this.#repositories.get(`${registry} ${digest}`)?.delete(repository)
  }

  /** Another repository of the registry that holds the blob; undefined when none is known. */
  otherThan(registry: string, digest: Digest, repository: string): string | undefined {
    const known = this.#repositories.get(`${registry} ${digest}`)?.keys() ?? []
    return [...known].find(name => name !== repository)
  }
}
