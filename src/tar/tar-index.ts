import type { FileHandle } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { type Digest, Digester } from '../content/digest.js'
import type { FileSet } from './file-set.js'
import { contentOf, contentStream, type MemberContent, requireReadable } from './member-content.js'
import { MemberFileSet } from './member-file-set.js'
import { MemberTable } from './member-table.js'
import { rangeAccess, readRange } from './range-stream.js'
import { type ByteSource, endsInside, readMembers } from './tar-reader.js'

/** The files of a tar on disk, each a range of it. Disposing it closes the file. */
export type TarIndex = FileSet

/**
 * Indexes a plain tar on disk by reading its headers and skipping the bodies. Nothing is extracted: content is read in
 * place when asked for.
 *
 * @param file stays open until the index is disposed, which closes it; when this throws, the caller closes it
 * @param size of the file in bytes
 * @param label for messages: the path as the user gave it
 * @param signal ends the scan with its reason
 * @throws TarError `bad-tar`, `truncated` (also when a member reaches beyond the end of the file), `too-large`
 * @example
 * await using files = await indexTar(await open('image.tar'), size, 'image.tar')
 */
export async function indexTar(
  file: FileHandle,
  size: number,
  label: string,
  signal?: AbortSignal,
): Promise<TarIndex> {
  const table = new MemberTable<MemberContent>(label, async (one, other) => {
    return (
      one.size === other.size && (await digestIn(file, one, label)) === (await digestIn(file, other, label))
    )
  })
  for await (const member of readMembers(new FileSource(file, size), label)) {
    signal?.throwIfAborted()
    if (member.type !== 'file') {
      table.add(member.name, { type: member.type, linkName: member.linkName })
      continue
    }
    if (member.offset + member.storedSize > size) throw endsInside(label, member.name)
    table.add(member.name, { type: 'file', content: contentOf(member) })
  }
  return new MemberFileSet(label, table, {
    size(found) {
      requireReadable(label, found.name, found.content)
      return found.content.size
    },
    open: (content, from) => contentStream(file, content, from, label),
    access: ({ sparse, offset, size }) =>
      sparse === undefined ? rangeAccess(file, offset, size, label) : undefined,
    spooled: () => undefined,
    close: () => file.close(),
  })
}

async function digestIn(file: FileHandle, content: MemberContent, label: string): Promise<Digest> {
  const digester = new Digester()
  await pipeline(contentStream(file, content, 0, label), async chunks => {
    for await (const chunk of chunks as AsyncIterable<Buffer>) digester.update(chunk)
  })
  return digester.digest()
}

/** Reads headers through a small window, so that many small members don't cost a system call each. */
class FileSource implements ByteSource {
  position = 0
  readonly #file: FileHandle
  readonly #size: number
  #window: Uint8Array = new Uint8Array()
  #windowOffset = 0

  constructor(file: FileHandle, size: number) {
    this.#file = file
    this.#size = size
  }

  async read(length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, this.#size - this.position)
    const start = this.position - this.#windowOffset
    if (start < 0 || start + wanted > this.#window.length) {
      this.#windowOffset = this.position
      this.#window = await readRange(this.#file, this.position, Math.max(wanted, WINDOW_SIZE))
    }
    const from = this.position - this.#windowOffset
    const bytes = this.#window.subarray(from, from + wanted)
    this.position += bytes.length
    return bytes
  }

  async skip(length: number): Promise<number> {
    const skipped = Math.min(length, this.#size - this.position)
    this.position += skipped
    return skipped
  }
}

const WINDOW_SIZE = 16 * 1024
