import { bytes, words } from './column.js'
import type { InodeId } from './inode-table.js'
import { TextArena } from './text-arena.js'

/** A file, folder, link or device of a layer. */
export type LayerEntry =
  | { kind: 'directory' | 'other'; path: readonly string[]; inode: InodeId }
  | { kind: 'hard-link'; path: readonly string[]; target: readonly string[] }

const KINDS = ['directory', 'other', 'hard-link'] as const

/** What a layer changes, in the order of its tar. */
export class LayerChanges {
  /** For messages: `layer sha256:… of image.tar`. */
  readonly what: string
  /** Paths of the lower layers that are gone. */
  readonly whiteouts = new PathList()
  /** Folders in which everything of the lower layers is gone. */
  readonly opaques = new PathList()
  readonly #kinds = bytes()
  readonly #paths = new PathList()
  /** The inode, or the number of a hard link's target. */
  readonly #inodes = words()
  readonly #targets = new PathList()

  constructor(what: string) {
    this.what = what
  }

  add(entry: LayerEntry): void {
    const position = this.#paths.add(entry.path)
    this.#kinds.set(position, KINDS.indexOf(entry.kind))
    const number = entry.kind === 'hard-link' ? this.#targets.add(entry.target) : entry.inode
    this.#inodes.set(position, number)
  }

  *entries(): Generator<LayerEntry> {
    for (let position = 0; position < this.#paths.size; position++) {
      const path = this.#paths.get(position)
      const kind = KINDS[this.#kinds.get(position)] ?? 'other'
      const number = this.#inodes.get(position)
      if (kind === 'hard-link') yield { kind, path, target: this.#targets.get(number) }
      else yield { kind, path, inode: number }
    }
  }

  /** The paths of its folders, their parts joined by slashes. */
  *folders(): Generator<string> {
    for (let position = 0; position < this.#paths.size; position++) {
      if (KINDS[this.#kinds.get(position)] === 'directory') yield this.#paths.text(position)
    }
  }
}

/** Paths below the root, each in parts. */
export class PathList {
  readonly #texts = new TextArena()

  get size(): number {
    return this.#texts.size
  }

  /** @returns its number */
  add(path: readonly string[]): number {
    return this.#texts.add(path.join('/'))
  }

  get(number: number): string[] {
    const text = this.text(number)
    return text === '' ? [] : text.split('/')
  }

  /** The parts of a path, joined by slashes. */
  text(number: number): string {
    return this.#texts.get(number)
  }

  *[Symbol.iterator](): Generator<string[]> {
    for (let number = 0; number < this.size; number++) yield this.get(number)
  }
}
