import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { quoted } from '../content/printable.js'
import type { SparseExtent } from './header.js'
import { rangeStream } from './range-stream.js'
import { TarError } from './tar-error.js'
import type { TarMember } from './tar-reader.js'

/** Where the bytes of a regular file are in a tar on disk. */
export interface MemberContent {
  offset: number
  /** The size of the file, its holes filled. */
  size: number
  sparse?: SparseExtent[]
  /** Why the content cannot be given. */
  unreadable?: string
}

/** What a member of a tar becomes in a table. */
export function contentOf(member: TarMember): MemberContent {
  return {
    offset: member.offset,
    size: member.sparse?.size ?? member.storedSize,
    ...(member.sparse && { sparse: member.sparse.extents }),
    ...(member.unreadable !== undefined && { unreadable: member.unreadable }),
  }
}

/** @throws TarError `bad-member-type` when the content cannot be given */
export function requireReadable(label: string, name: string, content: { unreadable?: string }): void {
  if (content.unreadable === undefined) return
  throw new TarError(
    `${quoted(name)} in ${label} cannot be read: ${content.unreadable}`,
    'bad-member-type',
    'Make the archive again without storing files as sparse.',
  )
}

/** Streams a member from a byte offset on, with the holes of a sparse file as zeros. */
export function contentStream(
  file: FileHandle,
  content: MemberContent,
  from: number,
  label: string,
): Readable {
  const start = Math.min(from, content.size)
  if (content.sparse === undefined) {
    return rangeStream(file, content.offset + start, content.size - start, label)
  }
  const stored = (offset: number, size: number) =>
    rangeStream(file, content.offset + offset, size, label) as AsyncIterable<Buffer>
  return Readable.from(fillHoles(content.sparse, content.size, start, stored), { objectMode: false })
}

const HOLE = Buffer.alloc(64 * 1024)

/**
 * Puts a sparse file together: its stored extents with zeros between.
 *
 * @param stored reads a range of the stored bytes
 */
export async function* fillHoles(
  extents: readonly SparseExtent[],
  size: number,
  from: number,
  stored: (offset: number, size: number) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  let position = from
  let storedOffset = 0
  for (const extent of extents) {
    const end = extent.offset + extent.size
    if (extent.size > 0 && end > position) {
      yield* zeros(extent.offset - position)
      const skipped = Math.max(0, position - extent.offset)
      yield* stored(storedOffset + skipped, extent.size - skipped)
      position = end
    }
    storedOffset += extent.size
  }
  yield* zeros(size - position)
}

function* zeros(count: number): Generator<Buffer> {
  for (let left = count; left > 0; left -= HOLE.length)
    yield left < HOLE.length ? HOLE.subarray(0, left) : HOLE
}
