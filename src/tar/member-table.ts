import { quoted } from '../content/printable.js'
import { cleanName, requireCleanName, resolveSymlink } from './member-name.js'
import { TarError } from './tar-error.js'

/** What a table knows of a member. `content` says where the bytes of a regular file are. */
export type TableMember<Content> =
  | { type: 'file'; content: Content }
  | { type: 'hard-link' | 'symlink'; linkName: string }
  | { type: 'directory' | 'special' }

/** A regular file that was found, under the name it really has. */
export interface FoundFile<Content> {
  name: string
  content: Content
}

/** The most links that are followed for one name (rule R223). */
const MAXIMUM_LINKS = 10

/**
 * The members of an archive by cleaned name, with links resolved inside it and never outside (rule R223).
 * Members whose own name leads out are left out: nothing inside can mean them.
 */
export class MemberTable<Content> {
  readonly #label: string
  readonly #isSame: (one: Content, other: Content) => Promise<boolean>
  readonly #members = new Map<string, TableMember<Content>[]>()

  /** `isSame` compares the bytes of two files: a name that occurs twice is accepted when both are the same. */
  constructor(label: string, isSame: (one: Content, other: Content) => Promise<boolean>) {
    this.#label = label
    this.#isSame = isSame
  }

  /** Adds a member, in the order of the archive. Returns false when its name is one that is left out. */
  add(name: string, member: TableMember<Content>): boolean {
    const cleaned = cleanName(name)
    if (cleaned === undefined || cleaned === '') return false
    const known = this.#members.get(cleaned)
    if (known === undefined) this.#members.set(cleaned, [member])
    else known.push(member)
    return true
  }

  /** The names of all regular files and links, in the order of the archive. */
  *names(): Iterable<string> {
    for (const [name, members] of this.#members) {
      if (members.some(member => member.type !== 'directory' && member.type !== 'special')) yield name
    }
  }

  /**
   * Finds the regular file that a name means.
   *
   * @returns undefined when there is none, also when a link leads to nothing
   * @throws TarError `unsafe-path`, `unsafe-link`, `bad-link`, `bad-member-type`, `ambiguous`
   */
  async find(name: string): Promise<FoundFile<Content> | undefined> {
    let wanted = requireCleanName(name, this.#label)
    for (let links = 0; links <= MAXIMUM_LINKS; links++) {
      const next = await this.#follow(wanted)
      if (next === undefined) break
      wanted = next
      if (links === MAXIMUM_LINKS) {
        throw new TarError(
          `${quoted(name)} in ${this.#label} is a link that does not end after ${MAXIMUM_LINKS} others`,
          'bad-link',
        )
      }
    }
    const member = await this.#only(wanted)
    if (member === undefined) return undefined
    if (member.type === 'file') return { name: wanted, content: member.content }
    throw new TarError(
      `${quoted(name)} in ${this.#label} is ${member.type === 'directory' ? 'a directory' : 'a device or a pipe'}, not a file`,
      'bad-member-type',
    )
  }

  /** One step: the name with its first link replaced by where that leads. Undefined when there is none. */
  async #follow(name: string): Promise<string | undefined> {
    const parts = name.split('/')
    for (let count = 1; count <= parts.length; count++) {
      const prefix = parts.slice(0, count).join('/')
      const member = await this.#only(prefix)
      if (member?.type === 'symlink' || (member?.type === 'hard-link' && count === parts.length)) {
        const target =
          member.type === 'symlink' ? resolveSymlink(prefix, member.linkName) : cleanName(member.linkName)
        if (target === undefined) {
          throw new TarError(
            `${quoted(prefix)} in ${this.#label} is a link to ${quoted(member.linkName)}, which leads out of it`,
            'unsafe-link',
          )
        }
        return [...(target === '' ? [] : [target]), ...parts.slice(count)].join('/')
      }
    }
    return undefined
  }

  /** The member of a name. Several are one when they say the same. */
  async #only(name: string): Promise<TableMember<Content> | undefined> {
    const members = this.#members.get(name)
    const [first, ...others] = members ?? []
    if (first === undefined || others.length === 0) return first
    for (const other of others) {
      if (!(await this.#areSame(first, other))) {
        throw new TarError(
          `${this.#label} holds ${quoted(name)} ${others.length + 1} times with different content`,
          'ambiguous',
          'Make the archive again; a file in it was added twice.',
        )
      }
    }
    this.#members.set(name, [first])
    return first
  }

  async #areSame(one: TableMember<Content>, other: TableMember<Content>): Promise<boolean> {
    if (one.type === 'file') return other.type === 'file' && (await this.#isSame(one.content, other.content))
    if (one.type === 'directory' || one.type === 'special') return one.type === other.type
    return 'linkName' in other && one.type === other.type && one.linkName === other.linkName
  }
}
