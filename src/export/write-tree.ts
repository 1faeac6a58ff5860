import { encodeHeaders, type HeaderFields, paddingOf } from '../tar/header-encode.js'
import type { BodySpool } from './body-spool.js'
import type { FileTree } from './file-tree.js'
import type { Inode, InodeId } from './inode-table.js'

/** How many bytes are gathered before they are given out. */
const BATCH_SIZE = 256 * 1024

/**
 * Writes a tree as a tar: each folder before what is in it, names in the order of their bytes. One tree always gives the
 * same bytes. The first name of a hard link is the file, the others are links to it; of anything else than a file each name
 * is one of its own. As in what `docker export` writes, there is no entry for the root itself.
 *
 * @param root what is written, with all below it
 * @param prefix what names begin with, without a slash; empty for the whole root file system
 * @param onEntry is called for each entry
 */
export async function* writeTree(
  tree: FileTree,
  root: InodeId,
  prefix: string,
  bodies: BodySpool,
  onEntry: () => void,
): AsyncGenerator<Buffer> {
  const firstNames = new Map<InodeId, string>()
  const batch = new Batch()
  for (const { path, id } of entriesOf(tree, root, prefix)) {
    onEntry()
    const inode = tree.inodes.describe(id)
    const linkName = firstNames.get(id)
    if (inode.kind === 'file' && linkName === undefined && tree.inodes.isShared(id)) firstNames.set(id, path)
    batch.add(encodeHeaders(headerOf(path, inode, linkName)))
    if (linkName === undefined && inode.kind === 'file') {
      for await (const chunk of bodies.read(inode.content)) {
        if (chunk.length < BATCH_SIZE / 4) batch.add(chunk)
        else {
          if (batch.size > 0) yield batch.take()
          yield chunk
        }
      }
      batch.add(paddingOf(inode.content.size))
    }
    if (batch.size >= BATCH_SIZE) yield batch.take()
  }
  batch.add(Buffer.alloc(1024))
  yield batch.take()
}

/** Small pieces that are given out as one. */
class Batch {
  #pieces: Buffer[] = []
  size = 0

  add(piece: Buffer): void {
    this.#pieces.push(piece)
    this.size += piece.length
  }

  take(): Buffer {
    const bytes = Buffer.concat(this.#pieces, this.size)
    this.#pieces = []
    this.size = 0
    return bytes
  }
}

/** Goes down the tree without recursion: a hostile layer may be as deep as a name is long. */
function* entriesOf(tree: FileTree, root: InodeId, prefix: string): Generator<{ path: string; id: InodeId }> {
  if (prefix !== '') yield { path: prefix, id: root }
  if (!tree.isFolder(root)) return
  const levels = [{ path: prefix, names: sortedNames(tree, root), folder: root }]
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.names.pop()
    const id = name === undefined ? undefined : tree.child(level.folder, name)
    if (name === undefined || id === undefined) {
      levels.pop()
      continue
    }
    const path = level.path === '' ? name : `${level.path}/${name}`
    yield { path, id }
    if (tree.isFolder(id)) levels.push({ path, names: sortedNames(tree, id), folder: id })
  }
}

/** The last first, to be taken from the end. */
function sortedNames(tree: FileTree, folder: InodeId): string[] {
  return [...tree.names(folder)].sort((one, other) => (one < other ? 1 : -1))
}

function headerOf(path: string, inode: Inode, linkName: string | undefined): HeaderFields {
  const fields = { ...inode.attributes, name: path, size: 0, encoding: 'latin1' as const }
  if (linkName !== undefined) return { ...fields, type: '1', linkName }
  switch (inode.kind) {
    case 'directory':
      return { ...fields, type: '5', name: `${path}/` }
    case 'file':
      return { ...fields, type: '0', size: inode.content.size }
    case 'symlink':
      return { ...fields, type: '2', linkName: inode.target }
    case 'device':
      return { ...fields, type: inode.flag, devMajor: inode.major, devMinor: inode.minor }
  }
}
