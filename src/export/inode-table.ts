import type { SpoolRange } from '../archive/spool-file.js'
import type { MemberAttributes } from '../tar/member-attributes.js'
import { bytes, doubles, words } from './column.js'
import { TextArena } from './text-arena.js'

/** What a file system has of each inode, whatever its kind. All text has one character for each byte. */
export type Attributes = Pick<
  MemberAttributes,
  'mode' | 'uid' | 'gid' | 'userName' | 'groupName' | 'mtime' | 'records'
>

interface Common {
  attributes: Attributes
}

/** What an inode is, apart from its names and, of a folder, from what is in it. */
export type Inode =
  | (Common & { kind: 'directory' })
  | (Common & { kind: 'file'; content: SpoolRange })
  | (Common & { kind: 'symlink'; target: string })
  /** `flag` is the type flag of its tar member: `3` and `4` devices, `6` a fifo. */
  | (Common & { kind: 'device'; flag: string; major: number; minor: number })

/** An inode of an {@link InodeTable}. */
export type InodeId = number

const KINDS = ['directory', 'file', 'symlink', 'device'] as const

/** How many different attributes are looked for among those of later files. */
const MAXIMUM_SHARED = 10_000

/**
 * Inodes as columns of numbers: 40 bytes for each, where an object with what belongs to it takes ten times as many.
 * Contents stay in a temporary file.
 */
export class InodeTable {
  #size = 0
  readonly #kinds = bytes()
  /** Whether it has more than one name, or had. */
  readonly #shared = bytes()
  /** Of a folder: whether a layer says that it is there; else something below it needed it. */
  readonly #stated = bytes()
  readonly #deviceFlags = bytes()
  readonly #attributes = words()
  /** Where a content begins, a symlink's text, a device's major number. */
  readonly #first = doubles()
  /** A content's size, a device's minor number. */
  readonly #second = doubles()
  readonly #times = doubles()
  /** Times that are no whole seconds. */
  readonly #oddTimes = new Map<InodeId, string>()
  readonly #targets = new TextArena()
  readonly #distinct: Omit<Attributes, 'mtime'>[] = []
  readonly #known = new Map<string, number>()

  /** @param isStated of a folder, whether a layer says that it is there */
  add(inode: Inode, isStated = true): InodeId {
    const id = this.#size++
    this.#kinds.set(id, KINDS.indexOf(inode.kind))
    this.#shared.set(id, 0)
    this.#stated.set(id, isStated ? 1 : 0)
    this.#setAttributes(id, inode.attributes)
    if (inode.kind === 'symlink') this.#first.set(id, this.#targets.add(inode.target))
    if (inode.kind === 'file') this.#setPair(id, inode.content.offset, inode.content.size)
    if (inode.kind === 'device') {
      this.#setPair(id, inode.major, inode.minor)
      this.#deviceFlags.set(id, inode.flag.charCodeAt(0))
    }
    return id
  }

  /** An inode of its own that is like this one; of a folder, without what is in it. */
  copy(id: InodeId): InodeId {
    const made = this.#size++
    const columns = [
      this.#kinds,
      this.#stated,
      this.#deviceFlags,
      this.#attributes,
      this.#first,
      this.#second,
    ]
    for (const column of columns) column.set(made, column.get(id))
    this.#shared.set(made, 0)
    this.#copyTime(id, made)
    return made
  }

  /** Gives a folder the attributes of another, which a layer states. */
  restate(id: InodeId, from: InodeId): void {
    this.#attributes.set(id, this.#attributes.get(from))
    this.#copyTime(from, id)
    this.#stated.set(id, 1)
  }

  kindOf(id: InodeId): Inode['kind'] {
    return KINDS[this.#kinds.get(id)] ?? 'directory'
  }

  isStated(id: InodeId): boolean {
    return this.#stated.get(id) === 1
  }

  isShared(id: InodeId): boolean {
    return this.#shared.get(id) === 1
  }

  /** Notes that it has another name. */
  share(id: InodeId): void {
    this.#shared.set(id, 1)
  }

  /** Where a symlink leads. */
  targetOf(id: InodeId): string {
    return this.#targets.get(this.#first.get(id))
  }

  /** All that is known of an inode. */
  describe(id: InodeId): Inode {
    const attributes = this.#attributesOf(id)
    const [first, second] = [this.#first.get(id), this.#second.get(id)]
    const kind = this.kindOf(id)
    switch (kind) {
      case 'directory':
        return { kind, attributes }
      case 'file':
        return { kind, attributes, content: { offset: first, size: second } }
      case 'symlink':
        return { kind, attributes, target: this.targetOf(id) }
      case 'device': {
        const flag = String.fromCharCode(this.#deviceFlags.get(id))
        return { kind, attributes, flag, major: first, minor: second }
      }
    }
  }

  /** How many inodes there are: what {@link forgetFrom} takes to come back to here. */
  get size(): number {
    return this.#size
  }

  /** Forgets all inodes that were made since there were this many. */
  forgetFrom(size: number): void {
    this.#size = size
    for (const id of this.#oddTimes.keys()) if (id >= size) this.#oddTimes.delete(id)
  }

  #setPair(id: InodeId, first: number, second: number): void {
    this.#first.set(id, first)
    this.#second.set(id, second)
  }

  #copyTime(from: InodeId, to: InodeId): void {
    this.#times.set(to, this.#times.get(from))
    const odd = this.#oddTimes.get(from)
    if (odd === undefined) this.#oddTimes.delete(to)
    else this.#oddTimes.set(to, odd)
  }

  #setAttributes(id: InodeId, { mtime, ...attributes }: Attributes): void {
    this.#attributes.set(id, this.#numberOf(attributes))
    const seconds = Number(mtime)
    const isPlain = Number.isSafeInteger(seconds) && `${seconds}` === mtime
    this.#times.set(id, isPlain ? seconds : 0)
    if (!isPlain) this.#oddTimes.set(id, mtime)
  }

  /** One object for all files that have the same attributes, which are most of an image's. */
  #numberOf(attributes: Omit<Attributes, 'mtime'>): number {
    if (attributes.records.size > 0) return this.#distinct.push(attributes) - 1
    const { mode, uid, gid, userName, groupName } = attributes
    const key = [mode, uid, gid, userName, groupName].join('\0')
    const known = this.#known.get(key)
    if (known !== undefined) return known
    // Where all differ, looking for others is not worth the memory.
    if (this.#known.size === MAXIMUM_SHARED) this.#known.clear()
    const number =
      this.#distinct.push({ mode, uid, gid, userName, groupName, records: attributes.records }) - 1
    this.#known.set(key, number)
    return number
  }

  #attributesOf(id: InodeId): Attributes {
    const shared = this.#distinct[this.#attributes.get(id)]
    if (shared === undefined) throw new Error(`there is no inode ${id}`)
    return { ...shared, mtime: this.#oddTimes.get(id) ?? `${this.#times.get(id)}` }
  }
}
