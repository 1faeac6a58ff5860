import { TarError } from './tar-error.js'
import type { TarMember } from './tar-reader.js'

/** The most characters of names and link targets of one archive: they are held in memory (rule R227). */
const MAXIMUM_TEXT = 64 * 1024 * 1024
/** The most extents of the sparse files of one archive, which are held in memory too. */
const MAXIMUM_EXTENTS = 1_000_000

/** Holes cost nothing to claim, so the sparse files of an archive may not grow more than this many times… */
const MAXIMUM_SPARSE_RATIO = 2000
/** …unless they stay below this many bytes in all (rule R226). */
const HARMLESS_SPARSE_SIZE = 64 * 1024 * 1024
/** What a member takes besides its content. */
const HEADER_SIZE = 512

/** Counts what the members of one archive take together: a cap for each alone is none for a hundred thousand of them. */
export class ArchiveBudget {
  readonly #label: string
  readonly #maximumText: number
  #text = 0
  #extents = 0
  #stored = 0
  #expanded = 0

  constructor(label: string, maximumText = MAXIMUM_TEXT) {
    this.#label = label
    this.#maximumText = maximumText
  }

  /** @throws TarError `too-large` when there is more than is held in memory */
  spend(member: TarMember): void {
    this.#text += member.name.length + member.linkName.length
    this.#extents += member.sparse?.extents.length ?? 0
    const excess =
      this.#text > this.#maximumText
        ? `names of more than ${this.#maximumText} bytes`
        : this.#extents > MAXIMUM_EXTENTS
          ? `sparse files in more than ${MAXIMUM_EXTENTS} parts`
          : undefined
    if (excess === undefined) return
    throw new TarError(`${this.#label} has ${excess}, which is more than is read`, 'too-large')
  }

  /** Whether a sparse file, with those before it, is so nearly all holes that it is not to be expanded. */
  isHollow({ sparse, storedSize }: TarMember): boolean {
    if (sparse === undefined) return false
    this.#stored += storedSize + HEADER_SIZE
    this.#expanded += sparse.size
    return this.#expanded > HARMLESS_SPARSE_SIZE && this.#expanded > this.#stored * MAXIMUM_SPARSE_RATIO
  }
}
