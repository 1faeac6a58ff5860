import { readdirSync } from 'node:fs'
import { type FileHandle, open, realpath, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { type Chunks, chunksOf } from '../content/chunks.js'
import { quoted } from '../content/printable.js'
import { systemCodeOf } from '../errors.js'
import type { FileSet, FileSetEntry } from '../tar/file-set.js'
import { requireCleanName } from '../tar/member-name.js'
import { rangeAccess, rangeStream, readRange } from '../tar/range-stream.js'
import { TarError } from '../tar/tar-error.js'

/**
 * Opens a folder as a set of files. Symlinks inside it may lead anywhere inside it, never out (rule R223).
 *
 * @param path an existing folder
 */
export async function openFolder(path: string): Promise<FileSet> {
  return new FolderFileSet(path, await realpath(path))
}

class FolderFileSet implements FileSet {
  readonly label: string
  readonly #root: string

  constructor(label: string, root: string) {
    this.label = label
    this.#root = root
  }

  async stat(name: string): Promise<FileSetEntry | undefined> {
    const path = await this.#find(name)
    if (path === undefined) return undefined
    const { size } = await stat(path)
    return { name: relative(this.#root, path).split(sep).join('/'), size }
  }

  async open(name: string, from = 0): Promise<Readable> {
    const file = await this.#openFile(name)
    const { size } = await file.stat()
    const start = Math.min(from, size)
    const stream = rangeStream(file, start, size - start, join(this.label, name))
    stream.once('close', () => {
      file.close().catch(() => {})
    })
    return stream
  }

  async *chunks(name: string, from = 0): Chunks {
    const file = await this.#openFile(name)
    try {
      const { size } = await file.stat()
      yield* chunksOf(rangeAccess(file, 0, size, join(this.label, name)), from)
    } finally {
      await file.close()
    }
  }

  async read(name: string, from: number, length: number): Promise<Uint8Array> {
    const file = await this.#openFile(name)
    try {
      const { size } = await file.stat()
      return await readRange(file, from, Math.min(length, Math.max(0, size - from)))
    } finally {
      await file.close()
    }
  }

  *names(): Iterable<string> {
    yield* this.#namesBelow('')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held open between calls.
  }

  async #openFile(name: string): Promise<FileHandle> {
    const path = await this.#find(name)
    if (path === undefined) {
      throw new TarError(`${this.label} has no file ${quoted(name)}`, 'missing-file')
    }
    return await open(path, 'r')
  }

  /** The real path of a regular file, once it is sure to be inside. Undefined when there is none. */
  async #find(name: string): Promise<string | undefined> {
    const cleaned = requireCleanName(name, this.label)
    try {
      const path = await realpath(join(this.#root, cleaned))
      if (!path.startsWith(this.#root.endsWith(sep) ? this.#root : this.#root + sep)) {
        throw new TarError(`${quoted(name)} in ${this.label} is a link that leads out of it`, 'unsafe-link')
      }
      if ((await stat(path)).isFile()) return path
      throw new TarError(`${quoted(name)} in ${this.label} is no regular file`, 'bad-member-type')
    } catch (error) {
      switch (systemCodeOf(error)) {
        case 'ENOENT':
        case 'ENOTDIR':
          return undefined
        case 'ELOOP':
          throw new TarError(`${quoted(name)} in ${this.label} is a link that does not end`, 'bad-link')
        default:
          throw error
      }
    }
  }

  *#namesBelow(folder: string): Iterable<string> {
    const entries = readdirSync(join(this.#root, folder), { withFileTypes: true })
    for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) yield* this.#namesBelow(name)
      else if (entry.isFile() || entry.isSymbolicLink()) yield name
    }
  }
}
