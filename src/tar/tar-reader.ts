import { quoted } from '../content/printable.js'
import { ArchiveBudget } from './archive-budget.js'
import {
  BLOCK_SIZE,
  type GnuSparseStart,
  HeaderProblem,
  isZeroBlock,
  type NameEncoding,
  parseHeader,
  parseSparseBlock,
  type SparseExtent,
  type TarHeader,
  text,
} from './header.js'
import { attributesOf, type MemberAttributes } from './member-attributes.js'
import { type PaxHeader, parsePaxHeader } from './pax.js'
import { badTar, TarError, truncated } from './tar-error.js'

/** The bytes of a tar in order: a file that can be skipped through, or a stream. */
export interface ByteSource {
  /** Offset of the next byte. */
  readonly position: number
  /** The next bytes; fewer than asked for only at the end. */
  read(length: number): Promise<Uint8Array>
  /** Moves on. Returns how many bytes of those asked for there were. */
  skip(length: number): Promise<number>
}

/** One member of a tar. Names are as they stand in the archive, long ones put together. */
export interface TarMember {
  name: string
  type: 'file' | 'hard-link' | 'symlink' | 'directory' | 'special'
  linkName: string
  /** Where its stored bytes begin. */
  offset: number
  /** How many stored bytes follow, without padding. */
  storedSize: number
  /** Present for an old GNU sparse file: the stored bytes are these extents of it, one after another. */
  sparse?: { size: number; extents: SparseExtent[] }
  /** Why its content cannot be given. Absent when it can. */
  unreadable?: string
  /** Present when they were asked for. */
  attributes?: MemberAttributes
}

/** What {@link readMembers} gives besides names and places. */
export interface ReadOptions {
  /**
   * Read owners, modes, times and extended attributes too, and give all text with one character for each byte (latin1),
   * so that names that are no UTF-8 can be written again as they were. Default: names alone, as UTF-8.
   */
  exact?: boolean
  /** The most members that the archive may have. Default: 100000. */
  maximumMembers?: number
  /** The most characters that their names and link targets may have together. Default: 64 Mi. */
  maximumText?: number
}

/** The most members that an archive may have. Each takes memory (rule R227). */
const MAXIMUM_MEMBERS = 100_000
/** The most bytes of a long name (rule R227). */
const MAXIMUM_NAME = 4096
/** The most bytes of a PAX header: extended attributes may be large, names are not. */
const MAXIMUM_PAX = 1024 * 1024
/** The most blocks of a sparse map, 21 extents each. */
const MAXIMUM_SPARSE_BLOCKS = 4096

/**
 * Reads the members of a tar one after another. After each, the source stands at the member's stored bytes; the caller
 * may read them or leave them. The archive ends at the first zero block or where the source ends; what follows is not looked at.
 *
 * @param label for messages
 * @throws TarError `bad-tar` for a malformed header, `truncated` when the source ends inside a member,
 * `too-large` for too many members, or more of their names and sparse maps than is held in memory
 */
export async function* readMembers(
  source: ByteSource,
  label: string,
  options: ReadOptions = {},
): AsyncGenerator<TarMember> {
  const { exact = false, maximumMembers = MAXIMUM_MEMBERS } = options
  const budget = new ArchiveBudget(label, options.maximumText)
  for (let count = 0; ; count++) {
    const member = await new MemberReader(source, label, exact).next()
    if (member === undefined) return
    if (count === maximumMembers) {
      throw new TarError(`${label} has more than the ${maximumMembers} members that are read`, 'too-large')
    }
    budget.spend(member)
    if (budget.isHollow(member)) member.unreadable ??= 'it is a sparse file that is nearly all holes'
    const end = member.offset + padded(member.storedSize)
    yield member
    await skipBody(source, member, end, label)
  }
}

async function skipBody(source: ByteSource, member: TarMember, end: number, label: string): Promise<void> {
  const bodyEnd = member.offset + member.storedSize
  const left = Math.max(0, bodyEnd - source.position)
  if ((await source.skip(left)) < left) throw endsInside(label, member.name)
  // The padding of the last member may be missing where a tool left out the end-of-archive blocks.
  await source.skip(end - source.position)
}

/** The error for an archive that ends before a member does. */
export function endsInside(label: string, name: string): TarError {
  return truncated(label, `the member ${quoted(name)} is not all there`)
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK_SIZE) * BLOCK_SIZE
}

/** Reads one member: its header and whatever headers before it say more about it. */
class MemberReader {
  readonly #source: ByteSource
  readonly #label: string
  #longName: string | undefined
  #longLink: string | undefined
  readonly #exact: boolean
  readonly #encoding: NameEncoding
  #pax: PaxHeader = { overrides: {}, records: new Map() }

  constructor(source: ByteSource, label: string, exact: boolean) {
    this.#source = source
    this.#label = label
    this.#exact = exact
    this.#encoding = exact ? 'latin1' : 'utf8'
  }

  async next(): Promise<TarMember | undefined> {
    let isFirst = true
    for (;;) {
      const position = this.#source.position
      const block = await this.#source.read(BLOCK_SIZE)
      if (block.length === 0 && isFirst) return undefined
      if (block.length < BLOCK_SIZE) {
        if (isZeroBlock(block) && isFirst) return undefined
        throw truncated(this.#label, 'a header is not all there')
      }
      if (isZeroBlock(block)) {
        if (isFirst) return undefined
        throw badTar(this.#label, position, 'the archive ends where a member should follow')
      }
      const header = this.#parse(position, () => parseHeader(block, this.#encoding))
      if (!(await this.#takeExtension(header))) return await this.#member(header, block, position)
      isFirst = false
    }
  }

  /** Takes a header that only says something of a later one. */
  async #takeExtension(header: TarHeader): Promise<boolean> {
    const position = this.#source.position
    switch (header.type) {
      case 'L':
        this.#longName = await this.#longText(header.size)
        return true
      case 'K':
        this.#longLink = await this.#longText(header.size)
        return true
      case 'x': {
        const body = await this.#extension(header.size, MAXIMUM_PAX)
        this.#pax = this.#parse(position, () => parsePaxHeader(body, this.#encoding))
        return true
      }
      case 'g': {
        // Global records hold comments in practice. A global name or size makes no sense, so they replace nothing.
        const body = await this.#extension(header.size, MAXIMUM_PAX)
        this.#parse(position, () => parsePaxHeader(body, this.#encoding))
        return true
      }
      default:
        return false
    }
  }

  async #longText(size: number): Promise<string> {
    const limit = MAXIMUM_NAME + 1
    return text(await this.#extension(size, limit), 0, limit, this.#encoding)
  }

  async #extension(size: number, limitBytes: number): Promise<Uint8Array> {
    const position = this.#source.position
    const wanted = padded(size)
    if (size > limitBytes) {
      if ((await this.#source.skip(wanted)) < wanted)
        throw truncated(this.#label, 'a header is not all there')
      throw badTar(
        this.#label,
        position,
        `a header has ${size} bytes, more than the ${limitBytes} that are read`,
      )
    }
    const body = await this.#source.read(wanted)
    if (body.length < wanted) throw truncated(this.#label, 'a header is not all there')
    return body.subarray(0, size)
  }

  async #member(header: TarHeader, block: Uint8Array, position: number): Promise<TarMember> {
    const { overrides, records } = this.#pax
    const name = overrides.path ?? this.#longName ?? header.name
    if (name.length > MAXIMUM_NAME) throw badTar(this.#label, position, 'a name is too long')
    const type = memberType(header.type)
    const sparse = header.sparse && (await this.#sparseMap(header.sparse, header.size, position))
    const size = overrides.size ?? header.size
    // Like Go and GNU tar: links, directories and devices have no body, whatever their size says.
    const storedSize = type === 'file' ? size : 0
    if (!Number.isSafeInteger(storedSize + BLOCK_SIZE)) throw endsInside(this.#label, name)
    return {
      name,
      type,
      linkName: overrides.linkpath ?? this.#longLink ?? header.linkName,
      offset: this.#source.position,
      storedSize,
      ...(sparse && { sparse }),
      ...(overrides.sparse && { unreadable: 'it is a sparse file in the PAX format' }),
      ...(this.#exact && { attributes: this.#parse(position, () => attributesOf(block, records)) }),
    }
  }

  async #sparseMap(
    start: GnuSparseStart,
    storedSize: number,
    position: number,
  ): Promise<TarMember['sparse']> {
    const extents = [...start.extents]
    let continued = start.continued
    for (let blocks = 0; continued; blocks++) {
      if (blocks === MAXIMUM_SPARSE_BLOCKS) throw badTar(this.#label, position, 'a sparse map is too long')
      const block = await this.#source.read(BLOCK_SIZE)
      if (block.length < BLOCK_SIZE) throw truncated(this.#label, 'a sparse map is not all there')
      const more = this.#parse(position, () => parseSparseBlock(block))
      extents.push(...more.extents)
      continued = more.continued
    }
    let end = 0
    let stored = 0
    for (const extent of extents) {
      if (extent.offset < end) throw badTar(this.#label, position, 'a sparse map is out of order')
      end = extent.offset + extent.size
      stored += extent.size
    }
    if (end > start.realSize || stored !== storedSize) {
      throw badTar(this.#label, position, 'a sparse map does not match its file')
    }
    return { size: start.realSize, extents }
  }

  #parse<T>(position: number, parse: () => T): T {
    try {
      return parse()
    } catch (error) {
      if (error instanceof HeaderProblem) throw badTar(this.#label, position, error.message)
      throw error
    }
  }
}

/** Types that are not known are taken as regular files, as POSIX asks. */
function memberType(flag: string): TarMember['type'] {
  switch (flag) {
    case '1':
      return 'hard-link'
    case '2':
      return 'symlink'
    case '5':
    case 'D':
      return 'directory'
    case '3':
    case '4':
    case '6':
    case 'V':
    case 'M':
      return 'special'
    default:
      return 'file'
  }
}
