import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { lstat, mkdir, readdir, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemCodeOf } from '../errors.js'
import { uniqueName } from './atomic-file.js'

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
    await removeAbandoned(kind, parent)
    const path = join(parent, `${kind}-${HOST}-${uniqueName()}`)
    await mkdir(path, { mode: 0o700 })
    return new TemporaryFolder(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
    unfinished.delete(this.path)
    if (unfinished.size === 0) process.off('exit', removeUnfinished)
  }
}

/** Several machines or containers may share a folder, and know nothing of each other's processes. */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)

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

async function removeAbandoned(kind: string, parent: string): Promise<void> {
  const prefix = `${kind}-${HOST}-`
  for (const name of await readdir(parent).catch(() => [])) {
    const pid = /^(\d+)-[0-9a-f]{12}$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : '')?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    const path = join(parent, name)
    const found = await lstat(path).catch(() => undefined)
    const isOurs = found?.isDirectory() === true && found.uid === (process.getuid?.() ?? found.uid)
    if (isOurs) await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCodeOf(error) !== 'ESRCH'
  }
}
