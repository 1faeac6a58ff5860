import type { Readable } from 'node:stream'
import { type Chunks, chunksOf } from '../content/chunks.js'
import { quoted } from '../content/printable.js'
import type { RandomAccess } from '../content/random-access.js'
import type { SpooledFile } from '../content/spooled-file.js'
import type { FileSet, FileSetEntry } from './file-set.js'
import type { FoundFile, MemberTable } from './member-table.js'
import { TarError } from './tar-error.js'

/** How the bytes of a member are reached, wherever they lie. */
export interface ContentReader<Content> {
  /** In bytes. @throws TarError when the content cannot be given */
  size(file: FoundFile<Content>): number
  open(content: Content, from: number): Readable
  /** Undefined when the archive is read in place. */
  spooled(content: Content): SpooledFile | undefined
  /** Absent, or undefined, where the content does not lie in one piece on disk. */
  access?(content: Content): RandomAccess | undefined
  close(): Promise<void>
}

/** A {@link FileSet} over the members of a tar. */
export class MemberFileSet<Content> implements FileSet {
  readonly label: string
  readonly #table: MemberTable<Content>
  readonly #reader: ContentReader<Content>

  constructor(label: string, table: MemberTable<Content>, reader: ContentReader<Content>) {
    this.label = label
    this.#table = table
    this.#reader = reader
  }

  async stat(name: string): Promise<FileSetEntry | undefined> {
    const found = await this.#table.find(name)
    if (found === undefined) return undefined
    const spooled = this.#reader.spooled(found.content)
    const size = this.#reader.size(found)
    const access = this.#reader.access?.(found.content)
    return { name: found.name, size, ...(spooled && { spooled }), ...(access && { access }) }
  }

  async open(name: string, from = 0): Promise<Readable> {
    const found = await this.#require(name)
    this.#reader.size(found)
    return this.#reader.open(found.content, from)
  }

  async *chunks(name: string, from = 0): Chunks {
    const found = await this.#require(name)
    this.#reader.size(found)
    const access = this.#reader.access?.(found.content)
    yield* access === undefined ? this.#reader.open(found.content, from) : chunksOf(access, from)
  }

  async read(name: string, from: number, length: number): Promise<Uint8Array> {
    const found = await this.#require(name)
    const wanted = Math.min(length, Math.max(0, this.#reader.size(found) - from))
    const chunks: Buffer[] = []
    let size = 0
    if (wanted > 0) {
      for await (const chunk of this.#reader.open(found.content, from) as AsyncIterable<Buffer>) {
        chunks.push(chunk)
        size += chunk.length
        if (size >= wanted) break
      }
    }
    return Buffer.concat(chunks, Math.min(size, wanted))
  }

  names(): Iterable<string> {
    return this.#table.names()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.close()
  }

  async #require(name: string): Promise<FoundFile<Content>> {
    const found = await this.#table.find(name)
    if (found === undefined) {
      throw new TarError(`${this.label} has no file ${quoted(name)}`, 'missing-file')
    }
    return found
  }
}
