import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { RegctlError } from '../../src/errors.js'
import type { FileSet, FileSetEntry } from '../../src/tar/file-set.js'

/** A set of files in memory, for readers of formats that are tested without a real archive. */
export class MemoryFiles implements FileSet {
  readonly label: string
  readonly files: Map<string, Uint8Array>
  disposed = false

  constructor(files: Record<string, string | Uint8Array> | Map<string, Uint8Array>, label = 'memory') {
    this.label = label
    this.files =
      files instanceof Map
        ? files
        : new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)]))
  }

  async stat(name: string): Promise<FileSetEntry | undefined> {
    const bytes = this.files.get(name)
    return bytes === undefined ? undefined : { name, size: bytes.length }
  }

  async open(name: string, from = 0): Promise<Readable> {
    return Readable.from([this.#bytes(name).subarray(from)], { objectMode: false })
  }

  async *chunks(name: string, from = 0): AsyncGenerator<Buffer> {
    yield Buffer.from(this.#bytes(name).subarray(from))
  }

  async read(name: string, from: number, length: number): Promise<Uint8Array> {
    return this.#bytes(name).subarray(from, from + length)
  }

  names(): Iterable<string> {
    return this.files.keys()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true
  }

  #bytes(name: string): Uint8Array {
    const bytes = this.files.get(name)
    if (bytes === undefined) {
      throw new RegctlError(`${name} is not in ${this.label}`, { kind: 'corrupt', code: 'missing-file' })
    }
    return bytes
  }
}

/** Reads a small folder into memory. */
export async function filesOfFolder(folder: string): Promise<MemoryFiles> {
  const files = new Map<string, Uint8Array>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(folder.length + 1).replaceAll('\\', '/'), await readFile(path))
  }
  return new MemoryFiles(files, folder)
}
