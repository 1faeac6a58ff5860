import { rmdirSync, rmSync } from 'node:fs'
import { mkdir, rm, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { uniqueName } from '../files/atomic-file.js'

/**
 * A hidden folder beside a file or folder that is to appear whole: on the same file system, so that a rename puts it in
 * place. Disposing removes it, and with it the folders above that were made for it, unless something is in them by then. So
 * does the end of the process, where nobody waits for that: after a second Ctrl-C, say.
 *
 * @example
 * await using staging = await Staging.beside('out/image.tar')
 */
export class Staging implements AsyncDisposable {
  /** Not made before {@link make}. */
  readonly path: string
  /** The folders above that were absent, the lowest first. */
  readonly #absent: readonly string[]

  private constructor(path: string, absent: readonly string[]) {
    this.path = path
    this.#absent = absent
    if (unfinished.size === 0) process.on('exit', removeUnfinished)
    unfinished.add(this)
  }

  /** Finds a name that nobody else takes. Nothing is written. */
  static async beside(target: string): Promise<Staging> {
    const absent: string[] = []
    for (let folder = dirname(target); !(await exists(folder)); folder = dirname(folder)) absent.push(folder)
    return new Staging(join(dirname(target), `.${basename(target)}-${uniqueName()}`), absent)
  }

  /** Makes the folder, with those above that are absent. @param mode its permissions; what the umask leaves if not given */
  async make(mode = 0o777): Promise<void> {
    await mkdir(this.path, { recursive: true, mode })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
    for (const folder of this.#absent) await rmdir(folder).catch(() => {})
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

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
