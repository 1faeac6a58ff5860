import { rmSync } from 'node:fs'
import { lstat, mkdir, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { isOrphaned, ownedName, release } from './owned-name.js'

/**
 * A folder for temporary files, that only this user can enter. It goes when it is disposed, or with the process; what a
 * process has left that was killed goes when the next folder of the same kind is made.
 *
 * @example
 * await using folder = await TemporaryFolder.create('regctl-spool')
 */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
    if (unfinished.size === 0) process.on('exit', removeUnfinished)
    unfinished.add(path)
  }

  /**
   * Makes a folder.
   *
   * @param kind what its name begins with
   * @param parent the system's folder for temporary files when not given
   */
  static async create(kind: string, parent = tmpdir()): Promise<TemporaryFolder> {
    await removeOrphaned(kind, parent)
    const path = join(parent, ownedName(kind))
    await mkdir(path, { mode: 0o700 })
    return new TemporaryFolder(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
    release(basename(this.path))
    unfinished.delete(this.path)
    if (unfinished.size === 0) process.off('exit', removeUnfinished)
  }
}

const unfinished = new Set<string>()

function removeUnfinished(): void {
  for (const path of unfinished) {
    try {
      rmSync(path, { recursive: true, force: true })
    } catch {
      // Nobody is there to be told.
    }
  }
}

async function removeOrphaned(kind: string, parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    if (!isOrphaned(name, kind)) continue
    const path = join(parent, name)
    const found = await lstat(path).catch(() => undefined)
    const isOurs = found?.isDirectory() === true && found.uid === (process.getuid?.() ?? found.uid)
    if (isOurs) await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}
