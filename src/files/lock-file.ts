import { lstat, readFile, readlink, rm, symlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { isObject } from '../content/manifest.js'
import { systemCodeOf } from '../errors.js'
import { createExclusive, removeAbandoned, uniqueName } from './atomic-file.js'
import { FileError } from './file-error.js'
import { isAlive } from './owned-name.js'

/** How long to wait for another writer. What is done under the lock takes milliseconds. */
const PATIENCE_MS = 30_000
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 100
/** A lock without its content this long after it was made belongs to a writer that died in between. */
const UNWRITTEN_MS = 10_000
/** After so long also the holder on another machine, or in a container that is gone, is taken for dead. */
const ABANDONED_MS = 5 * 60_000
/** What systems answer that have no symbolic links, or don't let everybody make them. */
const NO_LINKS = ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL']

/** Who holds a lock. */
interface Holder {
  /** Differs for each time that a lock is taken. */
  token: string
  pid: number
  host: string
  /** When it was made; not written down. */
  madeMs: number
}

/** The tokens that this process holds: a lock with our pid and none of these is left over from an earlier process. */
const held = new Set<string>()

/**
 * Runs `work` while holding a lock that other processes respect. The lock of a process that died on this machine is taken
 * over. It is a symbolic link, whose target says who holds it: so it never exists without saying that, whenever its holder
 * is killed. Where there are no such links it is a file made with exclusive create.
 *
 * @param path of the lock file, in a folder that exists
 * @throws FileError `file-locked` when another writer keeps it too long
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const token = uniqueName()
  held.add(token)
  try {
    await acquire(path, token, patienceMs)
    try {
      // What was made to take over from a dead one, by one that died as well: it protects nothing any more.
      await removeAbandoned(path)
      return await work()
    } finally {
      await rm(path, { force: true })
    }
  } finally {
    held.delete(token)
  }
}

async function acquire(path: string, token: string, patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    if (await tryAcquire(path, token)) return
    const holder = await readHolder(path)
    if (holder === undefined) continue
    if (isStale(holder) && (await removeStale(path, holder))) continue
    if (Date.now() >= deadline) {
      throw new FileError(`another process (${holder.pid} on ${holder.host}) keeps ${path} locked`, {
        kind: 'failed',
        code: 'file-locked',
        hint: `If no such process is at work, remove ${path}`,
      })
    }
    await sleep(pauseMs)
  }
}

async function tryAcquire(path: string, token: string): Promise<boolean> {
  const text = JSON.stringify({ token, pid: process.pid, host: hostname() })
  try {
    await symlink(text, path)
    return true
  } catch (error) {
    const code = systemCodeOf(error) ?? ''
    if (code === 'EEXIST') return false
    if (!NO_LINKS.includes(code)) throw error
    return await tryWrite(path, text)
  }
}

async function tryWrite(path: string, text: string): Promise<boolean> {
  let file: Awaited<ReturnType<typeof createExclusive>>
  try {
    file = await createExclusive(path)
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false
    throw error
  }
  try {
    await file.writeFile(text)
  } finally {
    await file.close()
  }
  return true
}

/** Undefined when the lock has just gone, or its holder has not written its name yet. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const { mtimeMs } = await lstat(path)
    const holder = parseHolder(await readText(path), mtimeMs)
    if (holder !== undefined) return holder
    if (Date.now() - mtimeMs > UNWRITTEN_MS) return { token: 'unwritten', pid: 0, host: '', madeMs: mtimeMs }
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error
    return undefined
  }
  await sleep(FIRST_PAUSE_MS)
  return undefined
}

async function readText(path: string): Promise<string> {
  try {
    return await readlink(path)
  } catch (error) {
    // It is a file.
    if (!NO_LINKS.includes(systemCodeOf(error) ?? '')) throw error
    return await readFile(path, 'utf8')
  }
}

function parseHolder(text: string, madeMs: number): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (!isObject(value)) return undefined
    const { token, pid, host } = value
    if (typeof token !== 'string' || !/^[\w-]{1,64}$/.test(token)) return undefined
    return typeof pid === 'number' && typeof host === 'string' ? { token, pid, host, madeMs } : undefined
  } catch {
    return undefined
  }
}

function isStale({ token, pid, host, madeMs }: Holder): boolean {
  if (pid === 0) return true
  if (host !== hostname()) return Date.now() - madeMs > ABANDONED_MS
  // In a container that is started again, the process before had our pid.
  if (pid === process.pid) return !held.has(token)
  return !isAlive(pid)
}

/**
 * Removes the lock of a dead holder, and never a lock that was taken since: whoever removes the lock of a token first
 * takes a lock that is named for that token, and then looks again whether the lock is still that one.
 *
 * @returns false when another process is at it
 */
async function removeStale(path: string, stale: Holder): Promise<boolean> {
  const guard = `${path}.${stale.token}`
  const token = uniqueName()
  held.add(token)
  try {
    if (!(await tryAcquire(guard, token))) {
      const remover = await readHolder(guard)
      // It was killed while it removed the lock of one that was killed.
      if (remover !== undefined && isStale(remover)) await rm(guard, { force: true })
      return false
    }
    try {
      if ((await readHolder(path))?.token === stale.token) await rm(path, { force: true })
    } finally {
      await rm(guard, { force: true })
    }
    return true
  } finally {
    held.delete(token)
  }
}
