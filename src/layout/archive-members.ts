import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { type Chunks, verifyChunks } from '../content/chunks.js'
import type { Context } from '../content/store.js'
import { type Expected, Verifier } from '../content/verify.js'
import { LargeFile, type LargeFileOptions } from '../files/large-file.js'
import { WeightedLimit } from '../limit.js'
import { encodeHeaders, paddingOf } from '../tar/header-encode.js'
import { TarError } from '../tar/tar-error.js'
import { TarWriter } from '../tar/tar-writer.js'
import { checkSignal } from './layout-error.js'

/** A regular file of an archive that is to be written. */
export interface ArchiveMember {
  name: string
  /** In bytes. */
  size: number
  /**
   * Opens the content. Each piece is written before the next one is asked for.
   *
   * @param cut where the first chunk should end, see `Source.blobChunks`
   */
  open(cut?: number): Promise<Chunks>
  /** What the content has to be checked against, with a name for messages; undefined where it is known to be right. */
  check?: { expected: Expected; what: string } | undefined
}

/** How much of a file is read and written at once. */
const COPY_BYTES = 512 * 1024
/** How many members are written at once. */
const MEMBERS_AT_ONCE = 4
/** The zeros that end a tar. */
const END_BYTES = 1024

/** A member of bytes in memory. */
export function bytesMember(name: string, bytes: Buffer): ArchiveMember {
  return { name, size: bytes.length, open: async () => Readable.from([bytes]) }
}

/** A file of a folder, under the name that it has there. */
export async function fileMember(folder: string, name: string): Promise<ArchiveMember> {
  const path = join(folder, name)
  const { size } = await stat(path)
  return { name, size, open: async () => readThrough(path, Math.min(size, COPY_BYTES)) }
}

/** Reads a file piece by piece into the same buffer: each is to be written before the next one is asked for. */
async function* readThrough(path: string, bufferBytes: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(bufferBytes)
  const file = await open(path)
  try {
    for (let offset = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset)
      if (bytesRead === 0) return
      offset += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/**
 * Writes a tar of some members to a stream, in their order. It is left open.
 *
 * @throws TarError `size-mismatch` for a member of another size; what the members and the stream throw
 */
export async function streamMembers(
  output: Writable,
  members: readonly ArchiveMember[],
  context: Context,
): Promise<void> {
  const tar = new TarWriter(output)
  for (const { name, size, open, check } of members) {
    const content = await open()
    const checked = check === undefined ? content : verifyChunks(content, check.expected, check.what)
    await tar.addFile(name, size, untilInterrupted(checked, context))
  }
  await tar.finish()
}

/**
 * Writes the same bytes as {@link streamMembers} to an empty file: since the size of each member is known, so is its
 * place, and several are written at once.
 *
 * @throws as {@link streamMembers}; nobody writes to the file any more by then
 */
export async function writeMembers(
  handle: FileHandle,
  members: readonly ArchiveMember[],
  outer: Context,
  options: LargeFileOptions,
): Promise<void> {
  const stop = new AbortController()
  const context = { ...outer, signal: AbortSignal.any([outer.signal, stop.signal]) }
  const limit = new WeightedLimit({ count: MEMBERS_AT_ONCE })
  const { placed, end } = place(members)
  // What is not written between members and at the end is zeros.
  await handle.truncate(end + END_BYTES)
  const file = await LargeFile.of(handle, options)
  // The largest first: none is left to be waited for alone at the end.
  placed.sort((a, b) => b.member.size - a.member.size)
  const writing = placed.map(each => limit.run(1, () => writeMember(file, each, context)))
  try {
    await Promise.all(writing)
  } finally {
    stop.abort()
    await Promise.allSettled(writing)
    await file.settle()
  }
  await file.end()
}

/** A member with its header and the offset of that in the archive. */
interface PlacedMember {
  member: ArchiveMember
  header: Buffer
  position: number
}

function place(members: readonly ArchiveMember[]): { placed: PlacedMember[]; end: number } {
  let end = 0
  const placed = members.map(member => {
    const { name, size } = member
    const header = encodeHeaders({ name, type: '0', mode: 0o644, size })
    const position = end
    end += header.length + size + paddingOf(size).length
    return { member, header, position }
  })
  return { placed, end }
}

async function writeMember(
  file: LargeFile,
  { member: { name, size, open, check }, header, position }: PlacedMember,
  context: Context,
): Promise<void> {
  checkSignal(context)
  await file.write(header, position)
  const start = position + header.length
  const verifier = check && new Verifier(check.expected, check.what)
  let written = 0
  for await (const chunk of untilInterrupted(await open(file.cutAt(start)), context)) {
    if (written + chunk.length > size) {
      // Its own check says more of it.
      verifier?.update(chunk)
      throw otherSize(name, size, `at least ${written + chunk.length}`)
    }
    // While the disk is at work, the chunk is hashed.
    const writing = file.write(chunk, start + written)
    writing.catch(() => {})
    try {
      verifier?.update(chunk)
    } finally {
      // Nothing writes to the file any more when it is closed.
      await writing
    }
    written += chunk.length
  }
  verifier?.end()
  if (written !== size) throw otherSize(name, size, `${written}`)
}

async function* untilInterrupted(content: Chunks, context: Context): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    checkSignal(context)
    yield chunk
  }
}

function otherSize(name: string, size: number, found: string): TarError {
  return new TarError(`${name} should have ${size} bytes but has ${found}`, 'size-mismatch')
}
