import { rmdirSync, rmSync } from 'node:fs'
import { lstat, readdir, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { exists } from '../files/exists.js'
import { makeFolder } from '../files/make-folder.js'
import { isAbandoned, ownedName, release } from '../files/owned-name.js'

/**
 * A hidden folder beside a file or folder that is to appear whole: on the same file system, so that a rename puts it in
 * place. Disposing removes it, and with it the folders above that were made for it, unless something is in them by then. So
 * does the end of the process, where nobody waits for that: after a second Ctrl-C, say. What is left by a run that was
 * killed goes with the next one for the same target.
 *
 * @example
 * await using staging = await Staging.beside('out/image.tar')
 */
export class Staging implements AsyncDisposable {
  /** Not made before {@link make}. */
  readonly path: string
  /** What its name begins with, which tells the target. */
  readonly #prefix: string
  /** The folders above that were absent, the lowest first. */
  readonly #absent: readonly string[]

  private constructor(folder: string, prefix: string, absent: readonly string[]) {
    this.path = join(folder, ownedName(prefix))
    this.#prefix = prefix
    this.#absent = absent
    if (unfinished.size === 0) process.on('exit', removeUnfinished)
    unfinished.add(this)
  }

  /** Finds a name that nobody else takes. Nothing is written. */
  static async beside(target: string): Promise<Staging> {
    const absent: string[] = []
    for (let folder = dirname(target); !(await exists(folder)); folder = dirname(folder)) absent.push(folder)
    return new Staging(dirname(target), `.${basename(target)}`, absent)
  }

  /** Makes the folder, with those above that are absent. @param mode its permissions; what the umask leaves if not given */
  async make(mode = 0o777): Promise<void> {
    if (await makeFolder(this.path, mode)) await this.#removeAbandoned()
  }

  async #removeAbandoned(): Promise<void> {
    const folder = dirname(this.path)
    for (const name of await readdir(folder)) {
      const path = join(folder, name)
      const found = name.startsWith(this.#prefix) ? await lstat(path).catch(() => undefined) : undefined
      if (found?.isDirectory() && isAbandoned(name, this.#prefix, found.mtimeMs)) {
        await rm(path, { recursive: true, force: true })
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
    for (const folder of this.#absent) await rmdir(folder).catch(() => {})
    release(basename(this.path))
    unfinished.delete(this)
    if (unfinished.size === 0) process.off('exit', removeUnfinished)
  }

  /** Removes the same at the end of the process, when nothing can be waited for. */
  removeNow(): void {
    try {
      rmSync(this.path, { recursive: true, force: true })
      for (const folder of this.#absent) rmdirSync(folder)
    } catch {
      // Nobody is there to be told.
    }
  }
}

/** Those that were neither disposed nor removed yet. */
const unfinished = new Set<Staging>()

function removeUnfinished(): void {
  for (const staging of unfinished) staging.removeNow()
}
