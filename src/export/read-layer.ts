import type { Readable } from 'node:stream'
import { StreamSource } from '../archive/stream-source.js'
import { contentOf, fillHoles, requireReadable } from '../tar/member-content.js'
import { endsInside, readMembers, type TarMember } from '../tar/tar-reader.js'
import type { BodySpool } from './body-spool.js'
import { badLayer, quoted } from './export-error.js'
import { MAXIMUM_INODES } from './file-tree.js'
import type { Inode, InodeTable } from './inode-table.js'
import { LayerChanges, type LayerEntry } from './layer-changes.js'
import { parseLayerName, splitPath } from './layer-path.js'

/** The most bytes of names, link targets and extended attributes of one image that are held in memory (rule R227). */
const MAXIMUM_TEXT_BYTES = 256 * 1024 * 1024

/** Counts what the layers of one image put into memory. */
export class LayerBudget {
  #members = 0
  #textBytes = 0

  /** How many members the next layer may have. */
  get members(): number {
    return MAXIMUM_INODES - this.#members
  }

  /** @throws ExportError `too-large` */
  spend(member: TarMember, what: string): void {
    this.#members++
    this.#textBytes += member.name.length + member.linkName.length
    for (const [key, value] of member.attributes?.records ?? []) this.#textBytes += key.length + value.length
    if (this.#textBytes > MAXIMUM_TEXT_BYTES) {
      throw badLayer('too-large', `the names and attributes of ${what} are more than is held in memory`)
    }
  }
}

/**
 * Reads a layer's plain tar to its end.
 *
 * @param input fails where the bytes are not what they should be; this reads it to its end or destroys it
 * @param inodes takes what they are
 * @param bodies takes the contents of its files
 * @param what for messages: `layer sha256:… of image.tar`
 * @throws TarError for a broken tar, and for a sparse file of a kind that is not expanded; ExportError; what the input throws
 */
export async function readLayer(
  input: Readable,
  inodes: InodeTable,
  bodies: BodySpool,
  budget: LayerBudget,
  what: string,
): Promise<LayerChanges> {
  const changes = new LayerChanges(what)
  try {
    const source = new StreamSource(input)
    // The text is counted here, for all layers together.
    const limits = { maximumMembers: budget.members, maximumText: Number.POSITIVE_INFINITY }
    for await (const member of readMembers(source, what, { exact: true, ...limits })) {
      budget.spend(member, what)
      const name = parseLayerName(member.name, what)
      if (name.kind === 'whiteout') changes.whiteouts.add(name.path)
      if (name.kind === 'opaque') changes.opaques.add(name.path)
      if (name.kind !== 'entry') continue
      const entry = await readEntry(member, name.path, inodes, source, bodies, what)
      if (entry !== undefined) changes.add(entry)
    }
    await source.drain()
  } finally {
    input.destroy()
  }
  return changes
}

async function readEntry(
  member: TarMember,
  path: string[],
  inodes: InodeTable,
  source: StreamSource,
  bodies: BodySpool,
  what: string,
): Promise<LayerEntry | undefined> {
  const { attributes: all } = member
  if (all === undefined) return undefined
  const { mode, uid, gid, userName, groupName, mtime, records } = all
  const attributes = { mode, uid, gid, userName, groupName, mtime, records }
  const other = (inode: Inode): LayerEntry => ({ kind: 'other', path, inode: inodes.add(inode) })
  switch (member.type) {
    case 'directory':
      return { kind: 'directory', path, inode: inodes.add({ kind: 'directory', attributes }) }
    case 'hard-link':
      return { kind: 'hard-link', path, target: splitPath(member.linkName, what) }
    case 'symlink':
      return other({ kind: 'symlink', attributes, target: member.linkName })
    case 'file':
      return other({ kind: 'file', attributes, content: await keepBody(member, source, bodies, what) })
    case 'special': {
      const { flag, devMajor, devMinor } = all
      // The label of a tape is no part of the file system.
      if (flag === 'V') return undefined
      if (flag === 'M')
        throw badLayer('bad-member-type', `${what} has a part of the file ${quoted(member.name)} only`)
      return other({ kind: 'device', attributes, flag, major: devMajor, minor: devMinor })
    }
  }
}

async function keepBody(member: TarMember, source: StreamSource, bodies: BodySpool, what: string) {
  const content = contentOf(member)
  requireReadable(what, member.name, content)
  const stored = (_offset: number, size: number) => taken(source, size, what, member.name)
  const chunks =
    content.sparse === undefined
      ? stored(0, content.size)
      : fillHoles(content.sparse, content.size, 0, stored)
  const offset = bodies.size
  if (content.size > 0) for await (const chunk of chunks) await bodies.append(chunk)
  return { offset, size: content.size }
}

async function* taken(
  source: StreamSource,
  size: number,
  what: string,
  name: string,
): AsyncGenerator<Buffer> {
  let left = size
  for await (const chunk of source.take(size)) {
    left -= chunk.length
    yield chunk
  }
  if (left > 0) throw endsInside(what, name)
}
