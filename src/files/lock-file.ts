import { open, readFile, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { isObject } from '../content/manifest.js'
import { systemCodeOf } from '../errors.js'
import { createExclusive, uniqueName } from './atomic-file.js'
import { FileError } from './file-error.js'

/** How long to wait for another writer. What is done under the lock takes milliseconds. */
const PATIENCE_MS = 30_000
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 100
/** A lock without its content this long after it was made belongs to a writer that died in between. */
const UNWRITTEN_MS = 10_000

/** Who holds a lock. */
interface Holder {
  /** Differs for each time that a lock is taken. */
  token: string
  pid: number
  host: string
}

/** The tokens that this process holds: a lock with our pid and none of these is left over from an earlier process. */
const held = new Set<string>()

/**
 * Runs `work` while holding a lock that other processes respect: a file made with exclusive create. The lock of a
 * process that died on this machine is taken over.
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
    if (isStale(holder)) await removeStale(path, holder)
    else if (Date.now() >= deadline) {
      throw new FileError(`another process (${holder.pid} on ${holder.host}) keeps ${path} locked`, {
        kind: 'failed',
        code: 'file-locked',
        hint: `If no such process is at work, remove ${path}`,
      })
    } else await sleep(pauseMs)
  }
}

async function tryAcquire(path: string, token: string): Promise<boolean> {
  const holder: Holder = { token, pid: process.pid, host: hostname() }
  let file: Awaited<ReturnType<typeof createExclusive>>
  try {
    file = await createExclusive(path)
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false
    throw error
  }
  try {
    await file.writeFile(JSON.stringify(holder))
  } finally {
    await file.close()
  }
  return true
}

/** Undefined when the lock has just gone, or its holder has not written its name yet. */
async function readHolder(path: string): Promise<Holder | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
  const holder = parseHolder(text)
  if (holder !== undefined) return holder
  const file = await open(path).catch(() => undefined)
  const madeMs = (await file?.stat())?.mtimeMs
  await file?.close()
  if (madeMs !== undefined && Date.now() - madeMs > UNWRITTEN_MS)
    return { token: 'unwritten', pid: 0, host: '' }
  await sleep(FIRST_PAUSE_MS)
  return undefined
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (!isObject(value)) return undefined
    const { token, pid, host } = value
    if (typeof token !== 'string' || !/^[\w-]{1,64}$/.test(token)) return undefined
    return typeof pid === 'number' && typeof host === 'string' ? { token, pid, host } : undefined
  } catch {
    return undefined
  }
}

function isStale({ token, pid, host }: Holder): boolean {
  if (pid === 0) return true
  if (host !== hostname()) return false
  // In a container that is started again, the process before had our pid.
  if (pid === process.pid) return !held.has(token)
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return systemCodeOf(error) === 'ESRCH'
  }
}

/**
 * Removes the lock of a dead holder, and never a lock that was taken since: whoever removes the lock of a token first
 * makes a file named for that token, and then looks again whether the lock is still that one.
 */
async function removeStale(path: string, stale: Holder): Promise<void> {
  const guard = `${path}.${stale.token}`
  try {
    await (await createExclusive(guard)).close()
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error
    await sleep(FIRST_PAUSE_MS)
    return
  }
  try {
    if ((await readHolder(path))?.token === stale.token) await rm(path, { force: true })
  } finally {
    await rm(guard, { force: true })
  }
}
