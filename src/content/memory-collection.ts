import { MemoryBlobs } from './memory-blobs.js'
import { MemoryStore, pageOf } from './memory-store.js'
import type { ListOptions, RepositoryCollection } from './store.js'

/**
 * Repositories in memory. A blob's bytes are kept once, and are seen only in repositories that they were put or
 * mounted into.
 */
export class MemoryCollection implements RepositoryCollection {
  readonly #blobs = new MemoryBlobs()
  readonly #stores = new Map<string, MemoryStore>()

  async find(name: string): Promise<MemoryStore | undefined> {
    return this.#stores.get(name)
  }

  async create(name: string): Promise<MemoryStore> {
    const store = this.#stores.get(name) ?? new MemoryStore(name, this.#blobs)
    this.#stores.set(name, store)
    return store
  }

  async *listNames(options: ListOptions = {}): AsyncIterable<string> {
    yield* pageOf(this.#stores.keys(), options)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
