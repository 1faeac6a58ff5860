import { lstat, mkdir, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pageOf } from '../content/memory-store.js'
import { isRepositoryName } from '../content/reference.js'
import type { ListOptions, RepositoryCollection } from '../content/store.js'
import { systemCodeOf } from '../errors.js'
import { syncFolder } from '../files/atomic-file.js'
import { LayoutError } from './layout-error.js'
import { LAYOUT_FILE } from './layout-format.js'
import { LayoutStore } from './layout-store.js'

/** The folder of a repository's layout. No component of a repository's name starts with an underscore. */
const LAYOUT_FOLDER = '_layout'

/**
 * Repositories in a folder: each is an OCI layout in `<folder>/<name>/_layout`. What a repository holds is on the disk
 * when the call that put it ends, without a commit, and is found again by the next process.
 */
export class LayoutCollection implements RepositoryCollection {
  readonly #folder: string
  readonly #stores = new Map<string, Promise<LayoutStore>>()

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Opens a folder of repositories, and makes it when it is absent. */
  static async open(folder: string): Promise<LayoutCollection> {
    await mkdir(folder, { recursive: true })
    return new LayoutCollection(folder)
  }

  async find(name: string): Promise<LayoutStore | undefined> {
    if (!isRepositoryName(name)) return undefined
    const known = this.#stores.get(name)
    if (known !== undefined) return await known
    return (await this.#exists(name)) ? await this.#open(name) : undefined
  }

  async create(name: string): Promise<LayoutStore> {
    if (!isRepositoryName(name)) {
      throw new LayoutError(`"${name}" is not a repository name`, { kind: 'usage', code: 'bad-reference' })
    }
    return await (this.#stores.get(name) ?? this.#open(name))
  }

  async #exists(name: string): Promise<boolean> {
    try {
      return (await lstat(join(this.#folder, name, LAYOUT_FOLDER, LAYOUT_FILE))).isFile()
    } catch (error) {
      const code = systemCodeOf(error)
      if (code === 'ENOENT' || code === 'ENOTDIR') return false
      throw error
    }
  }

  #open(name: string): Promise<LayoutStore> {
    const opened = openRepository(this.#folder, name)
    this.#stores.set(name, opened)
    opened.catch(() => this.#stores.delete(name))
    return opened
  }

  async *listNames(options: ListOptions = {}): AsyncIterable<string> {
    yield* pageOf(await this.#names(''), options)
  }

  async #names(prefix: string): Promise<string[]> {
    const entries = await readdir(join(this.#folder, prefix), { withFileTypes: true })
    const names: string[] = []
    for (const entry of entries) {
      if (!entry.isDirectory()) continue
      const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`
      if (entry.name === LAYOUT_FOLDER) {
        if (prefix !== '' && (await this.#exists(prefix))) names.push(prefix)
      } else if (isRepositoryName(name)) names.push(...(await this.#names(name)))
    }
    return names
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stores = [...this.#stores.values()]
    this.#stores.clear()
    for (const store of stores) await (await store)[Symbol.asyncDispose]()
  }
}

async function openRepository(folder: string, name: string): Promise<LayoutStore> {
  const store = await LayoutStore.open(join(folder, name, LAYOUT_FOLDER), {
    create: true,
    writeThrough: true,
  })
  await store.initialize()
  // The folders above the layout may be new as well.
  for (let path = name; path !== '.'; path = dirname(path)) await syncFolder(join(folder, path))
  await syncFolder(folder)
  return store
}
