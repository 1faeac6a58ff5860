import { type FileHandle, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { chunksOf } from '../content/chunks.js'
import type { Context } from '../content/store.js'
import { createExclusive, syncFolder } from '../files/atomic-file.js'
import { exists } from '../files/exists.js'
import { rangeAccess } from '../tar/range-stream.js'
import { type ArchiveMember, streamMembers, writeMembers } from './archive-members.js'
import { checkSignal } from './layout-error.js'
import { Staging } from './staging.js'

/**
 * Writes an archive, which appears, or is replaced, when all of it is there: on the disk too where it replaces another, so
 * that a power failure leaves one of them.
 *
 * @param ready is waited for before the archive appears; when it rejects, nothing stays
 * @throws what the members, `ready` and the disk throw
 */
export async function writeArchive(
  target: string,
  members: readonly ArchiveMember[],
  context: Context,
  ready?: Promise<void>,
): Promise<void> {
  await using staging = await Staging.beside(target)
  await staging.make()
  const incomplete = join(staging.path, 'archive')
  const file = await createExclusive(incomplete)
  const durable = await exists(target)
  try {
    await writeMembers(file, members, context, { path: incomplete, durable })
  } finally {
    await file.close()
  }
  await ready
  await rename(incomplete, target)
  if (durable) await syncFolder(dirname(target))
}

/**
 * Writes an archive to a stream, which is left open.
 *
 * @param scratch the path of a file to make: members that may turn out wrong are written there first, several at once, since
 * nothing can be taken back from a stream. Undefined for members that are there and right
 */
export async function streamArchive(
  output: Writable,
  members: readonly ArchiveMember[],
  scratch: string | undefined,
  context: Context,
): Promise<void> {
  if (scratch === undefined) return await streamMembers(output, members, context)
  const writing = await createExclusive(scratch, 0o600)
  try {
    await writeMembers(writing, members, context, { durable: false })
  } finally {
    await writing.close()
  }
  const file = await open(scratch)
  try {
    await streamFile(output, file, scratch, context)
  } finally {
    await file.close()
  }
}

async function streamFile(output: Writable, file: FileHandle, path: string, context: Context): Promise<void> {
  const { size } = await file.stat()
  for await (const chunk of chunksOf(rangeAccess(file, 0, size, path))) {
    checkSignal(context)
    await new Promise<void>((resolve, reject) => {
      output.write(chunk, error => (error ? reject(error) : resolve()))
    })
  }
}
