import { words } from './column.js'
import { badLayer, quoted } from './export-error.js'
import type { Attributes, InodeId, InodeTable } from './inode-table.js'

/*
 * A root file system in memory: the names of inodes. Two names of one hard link are two entries for one and the same
 * inode. All text has one character for each byte.
 */

/** The most entries of one image. Each takes some 200 bytes of memory (rule R227). */
export const MAXIMUM_INODES = 2_000_000
/** How many symlinks may lie on the way to one path: what Linux allows. */
const MAXIMUM_HOPS = 40
/** How many folders may lie in each other. A name has room for half as many; symlinks can lead deeper. */
const MAXIMUM_DEPTH = 4096

/** For a folder that is only there because something is in it, as Docker makes it; the time is fixed. */
const IMPLIED: Attributes = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  userName: '',
  groupName: '',
  mtime: '0',
  records: new Map(),
}

/** What {@link FileTree.find} finds. */
export interface Found {
  inode: InodeId
  /** Where it is, after symlinks. */
  path: readonly string[]
  /** Whether a layer says of each folder on the way that it is one: no lower layer could make it something else. */
  isCertain: boolean
}

/** A tree of inodes in which paths are looked up as a process would whose root it is: no link leads out (rule R225). */
export class FileTree {
  readonly inodes: InodeTable
  readonly root: InodeId
  /** The number of an entry by its folder's inode, a slash and its name. One that was removed stays, without an inode. */
  readonly #entries = new Map<string, number>()
  readonly #keys: string[] = []
  /** The inode of each entry, from 1 on; 0 when it was removed. */
  readonly #inodeOf = words()
  /** The entry before in the same folder, from 1 on. */
  readonly #previous = words()
  /** By inode, the last entry of a folder, from 1 on. */
  readonly #last = words()
  #made = 0

  /** @param inodes where those of the layers are; the folders that are missing are made there */
  constructor(inodes: InodeTable) {
    this.inodes = inodes
    this.root = this.#makeDirectory(true)
  }

  /** The inode of a name in a folder. */
  child(folder: InodeId, name: string): InodeId | undefined {
    const entry = this.#entries.get(`${folder}/${name}`)
    const inode = entry === undefined ? 0 : this.#inodeOf.get(entry)
    return inode === 0 ? undefined : inode - 1
  }

  /** The names in a folder, in no order. */
  *names(folder: InodeId): Generator<string> {
    for (const entry of this.#entriesIn(folder)) {
      const key = this.#keys[entry] ?? ''
      if (this.#inodeOf.get(entry) !== 0) yield key.slice(key.indexOf('/') + 1)
    }
  }

  /** Takes a name out of a folder, if it is there. */
  remove(folder: InodeId, name: string): void {
    const entry = this.#entries.get(`${folder}/${name}`)
    if (entry !== undefined) this.#inodeOf.set(entry, 0)
  }

  /** Takes all names out of a folder. */
  clear(folder: InodeId): void {
    for (const entry of this.#entriesIn(folder)) this.#inodeOf.set(entry, 0)
  }

  /**
   * Gives an inode a name, in place of whatever has it.
   *
   * @throws ExportError `too-large` when there are more than {@link MAXIMUM_INODES}
   */
  put(folder: InodeId, name: string, inode: InodeId): void {
    this.#made++
    if (this.#made > MAXIMUM_INODES) {
      throw badLayer('too-large', `the image has more than the ${MAXIMUM_INODES} files that are exported`)
    }
    const key = `${folder}/${name}`
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = this.#keys.push(key) - 1
      this.#entries.set(key, entry)
      this.#previous.set(entry, this.#last.get(folder))
      this.#last.set(folder, entry + 1)
    }
    this.#inodeOf.set(entry, inode + 1)
  }

  /** The inode of that very name; symlinks are followed on the way to it only. */
  lookUp(path: readonly string[]): InodeId | undefined {
    const name = path.at(-1)
    if (name === undefined) return this.root
    const parent = this.#walk(path.slice(0, -1), false)?.inode
    return parent !== undefined && this.isFolder(parent) ? this.child(parent, name) : undefined
  }

  /** What a path leads to, symlinks followed to the end. */
  find(path: readonly string[]): Found | undefined {
    return this.#walk(path, false)
  }

  /** The folder of that path. What is missing on the way is made; what is no folder, nor leads to one, is replaced. */
  makeFolder(path: readonly string[]): InodeId {
    const found = this.#walk(path, true)?.inode
    if (found !== undefined && this.isFolder(found)) return found
    throw badLayer('bad-link', `${quoted(path.join('/'))} is no folder`)
  }

  /** Whether an inode is a folder. */
  isFolder(inode: InodeId): boolean {
    return this.inodes.kindOf(inode) === 'directory'
  }

  *#entriesIn(folder: InodeId): Generator<number> {
    for (let entry = this.#last.get(folder); entry !== 0; entry = this.#previous.get(entry - 1))
      yield entry - 1
  }

  #makeDirectory(isStated: boolean): InodeId {
    const made = this.inodes.add({ kind: 'directory', attributes: IMPLIED }, isStated)
    this.#last.set(made, 0)
    return made
  }

  #walk(path: readonly string[], isMaking: boolean): Found | undefined {
    let way: { name: string; inode: InodeId }[] = []
    const ahead = [...path].reverse()
    let isCertain = true
    for (let hops = 0; ahead.length > 0; ) {
      const name = ahead.pop() ?? ''
      if (name === '' || name === '.') continue
      if (name === '..') {
        way.pop()
        continue
      }
      const folder = way.at(-1)?.inode ?? this.root
      if (!this.isFolder(folder)) return undefined
      let child = this.child(folder, name)
      if (child !== undefined && this.inodes.kindOf(child) === 'symlink') {
        hops++
        if (hops > MAXIMUM_HOPS) {
          throw badLayer('bad-link', `${quoted(path.join('/'))} leads through a symlink that does not end`)
        }
        const target = this.inodes.targetOf(child)
        if (target.startsWith('/')) way = []
        ahead.push(...target.split('/').reverse())
        continue
      }
      if (isMaking && (child === undefined || !this.isFolder(child))) {
        if (way.length >= MAXIMUM_DEPTH) {
          throw badLayer('too-large', `${quoted(path.join('/'))} lies in more than ${MAXIMUM_DEPTH} folders`)
        }
        child = this.#makeDirectory(false)
        this.put(folder, name, child)
      }
      if (child === undefined) return undefined
      if (this.isFolder(child) && !this.inodes.isStated(child)) isCertain = false
      way.push({ name, inode: child })
    }
    return { inode: way.at(-1)?.inode ?? this.root, path: way.map(({ name }) => name), isCertain }
  }
}
