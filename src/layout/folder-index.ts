import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCodeOf } from '../errors.js'
import { openRegular, removeAbandoned, replaceFile } from '../files/atomic-file.js'
import { withLock } from '../files/lock-file.js'
import { EMPTY_INDEX, formatIndexJson, type IndexJson, parseIndexJson } from './index-json.js'
import { INDEX_FILE, INDEX_LIMIT_BYTES, noIndexFile, tooLarge } from './layout-format.js'
import { Serial } from './serial.js'

/** A name that no layout has a use for, and that says whose it is. */
const LOCK_FILE = '.index.json.lock'

/**
 * The `index.json` of a layout in a folder. What was read stays in memory until the file is another one; a change is
 * made to what the file holds at that moment, under a lock, so that two writers lose nothing (rule R191).
 */
export class FolderIndex {
  readonly #folder: string
  readonly #label: string
  readonly #path: string
  readonly #durable: boolean
  /** Whether there was no index before: then nothing is lost when the power fails. */
  #isNew = false
  #cached: { stamp: string; index: IndexJson } | undefined
  /** The changes of this process, one after the other: they need not fight for the lock. */
  readonly #changes = new Serial<'index'>()

  /** @param durable whether a new index is on the disk before a change is done; one that was there before always is */
  constructor(folder: string, label: string, { durable }: { durable: boolean }) {
    this.#folder = folder
    this.#durable = durable
    this.#label = label
    this.#path = join(folder, INDEX_FILE)
  }

  /** Whether the file is there. */
  async exists(): Promise<boolean> {
    return (await this.#stamp()) !== undefined
  }

  /**
   * The index as it is now.
   *
   * @throws RegctlError `missing-index` when there is none; those of `parseIndexJson`
   */
  async read(): Promise<IndexJson> {
    const index = await this.readIfAny()
    if (index === undefined) throw noIndexFile(this.#label)
    return index
  }

  /** As {@link read}, but undefined when there is none yet. */
  async readIfAny(): Promise<IndexJson | undefined> {
    const stamp = await this.#stamp()
    if (stamp === undefined) return undefined
    if (this.#cached?.stamp === stamp) return this.#cached.index
    const file = await openRegular(this.#path)
    if (file === undefined) return undefined
    try {
      const { size } = await file.stat()
      if (size > INDEX_LIMIT_BYTES) throw tooLarge(`${INDEX_FILE} in ${this.#label}`, INDEX_LIMIT_BYTES)
      const index = parseIndexJson(await file.readFile(), `${INDEX_FILE} in ${this.#label}`)
      this.#cached = { stamp, index }
      return index
    } finally {
      await file.close()
    }
  }

  /**
   * Changes the index. `change` gets what is there at that moment and gives what shall be there; when that is the same
   * object, nothing is written.
   *
   * @throws FileError `file-locked`; LayoutError `too-large` when the index would be too large to be read again
   */
  async update(change: (index: IndexJson) => IndexJson | Promise<IndexJson>): Promise<void> {
    await this.#changes.run('index', () => this.#update(change))
  }

  async #update(change: (index: IndexJson) => IndexJson | Promise<IndexJson>): Promise<void> {
    await withLock(join(this.#folder, LOCK_FILE), async () => {
      const existing = await this.readIfAny()
      const changed = await change(existing ?? EMPTY_INDEX)
      if (changed === existing) return
      const bytes = formatIndexJson(changed)
      if (bytes.length > INDEX_LIMIT_BYTES)
        throw tooLarge(`the new ${INDEX_FILE} of ${this.#label}`, INDEX_LIMIT_BYTES)
      await removeAbandoned(this.#path)
      this.#isNew ||= existing === undefined
      await replaceFile(this.#path, bytes, { durable: this.#durable || !this.#isNew })
      const stamp = await this.#stamp()
      this.#cached = stamp === undefined ? undefined : { stamp, index: changed }
    })
  }

  /** Differs whenever the file does: each write makes a new file with a time of its own. */
  async #stamp(): Promise<string | undefined> {
    try {
      const { mtimeNs, size, ino } = await stat(this.#path, { bigint: true })
      return `${mtimeNs} ${size} ${ino}`
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }
}
