import type { SpoolRange } from '../archive/spool-file.js'
import type { MemberAttributes } from '../tar/member-attributes.js'
import { badLayer, quoted } from './export-error.js'

/*
 * A root file system in memory: names and attributes; contents stay in a temporary file. Two names of one hard link
 * are two entries for one and the same inode. All text has one character for each byte.
 */

/** What a file system has of each inode, whatever its kind. */
export type Attributes = Pick<
  MemberAttributes,
  'mode' | 'uid' | 'gid' | 'userName' | 'groupName' | 'mtime' | 'records'
>

interface Common {
  attributes: Attributes
  /** Whether it has more than one name, or had. */
  isShared?: boolean
}

/** A folder with what is in it. */
export interface Directory extends Common {
  kind: 'directory'
  children: Map<string, Inode>
  /** Whether a layer says that it is there; else something below it needed it. */
  isStated: boolean
}

export type Inode =
  | Directory
  | (Common & { kind: 'file'; content: SpoolRange })
  | (Common & { kind: 'symlink'; target: string })
  | (Common & { kind: 'device'; flag: string; major: number; minor: number })

/** The most inodes of one image. Each takes some 500 bytes of memory (rule R227). */
export const MAXIMUM_INODES = 2_000_000
/** How many symlinks may lie on the way to one path: what Linux allows. */
const MAXIMUM_HOPS = 40

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

/** Makes an empty folder. */
export function directory(attributes: Attributes, isStated: boolean): Directory {
  return { kind: 'directory', attributes, isStated, children: new Map() }
}

/** What {@link FileTree.find} finds. */
export interface Found {
  inode: Inode
  /** Where it is, after symlinks. */
  path: readonly string[]
  /** Whether a layer says of each folder on the way that it is one: no lower layer could make it something else. */
  isCertain: boolean
}

/** A tree of inodes in which paths are looked up as a process would whose root it is: no link leads out (rule R225). */
export class FileTree {
  readonly root: Directory = directory(IMPLIED, true)
  #made = 0

  /** The inode of that very name; symlinks are followed on the way to it only. */
  lookUp(path: readonly string[]): Inode | undefined {
    const name = path.at(-1)
    if (name === undefined) return this.root
    const parent = this.#walk(path.slice(0, -1), false)?.inode
    return parent?.kind === 'directory' ? parent.children.get(name) : undefined
  }

  /** What a path leads to, symlinks followed to the end. */
  find(path: readonly string[]): Found | undefined {
    return this.#walk(path, false)
  }

  /** The folder of that path. What is missing on the way is made; what is no folder, nor leads to one, is replaced. */
  makeFolder(path: readonly string[]): Directory {
    const found = this.#walk(path, true)?.inode
    if (found?.kind === 'directory') return found
    throw badLayer('bad-link', `${quoted(path.join('/'))} is no folder`)
  }

  /**
   * Gives an inode a name, in place of whatever has it.
   *
   * @throws ExportError `too-large` when there are more than {@link MAXIMUM_INODES}
   */
  put(folder: Directory, name: string, inode: Inode): void {
    this.#made++
    if (this.#made > MAXIMUM_INODES) {
      throw badLayer('too-large', `the image has more than the ${MAXIMUM_INODES} files that are exported`)
    }
    folder.children.set(name, inode)
  }

  #walk(path: readonly string[], isMaking: boolean): Found | undefined {
    let way: { name: string; inode: Inode }[] = []
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
      if (folder.kind !== 'directory') return undefined
      let child = folder.children.get(name)
      if (child?.kind === 'symlink') {
        hops++
        if (hops > MAXIMUM_HOPS) {
          throw badLayer('bad-link', `${quoted(path.join('/'))} leads through a symlink that does not end`)
        }
        if (child.target.startsWith('/')) way = []
        ahead.push(...child.target.split('/').reverse())
        continue
      }
      if (isMaking && child?.kind !== 'directory') {
        child = directory(IMPLIED, false)
        this.put(folder, name, child)
      }
      if (child === undefined) return undefined
      if (child.kind === 'directory' && !child.isStated) isCertain = false
      way.push({ name, inode: child })
    }
    return { inode: way.at(-1)?.inode ?? this.root, path: way.map(({ name }) => name), isCertain }
  }
}
