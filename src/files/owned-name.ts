import { createHash, randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { systemCodeOf } from '../errors.js'

/** A name is taken for abandoned after so long although a process with that number runs: it can be another one by now. */
const REUSED_PID_MS = 24 * 60 * 60 * 1000
/** Whether a process on another machine is alive can't be seen: what it has not written to for so long is abandoned. */
const FOREIGN_MS = 60 * 60 * 1000

const OWNER = /^-([0-9a-f]{8})-(\d{1,10})-([0-9a-f]{12})$/

let knownHost: string | undefined

/** The names that this process works with. One with our pid that is none of these is an earlier process's. */
const held = new Set<string>()

/**
 * A name of a file or folder that nobody else takes, and by which another run sees whether its owner still lives: after
 * a crash or a `kill -9` no lock is left over. Whoever wants an abandoned file renames it to a name of its own,
 * which one run alone can do.
 *
 * @returns `prefix` and the owner; held until {@link release}
 */
export function ownedName(prefix: string): string {
  const name = `${prefix}-${ownHost()}-${process.pid}-${randomBytes(6).toString('hex')}`
  held.add(name)
  return name
}

/** Gives a name up: what is left under it is abandoned. */
export function release(name: string): void {
  held.delete(name)
}

/**
 * Whether nobody works any more with a name that {@link ownedName} made.
 *
 * @param writtenMs when it was last written to
 * @returns undefined when it is no such name with this prefix
 */
export function isAbandoned(name: string, prefix: string, writtenMs: number): boolean | undefined {
  const owner = readOwner(name, prefix)
  if (owner === undefined) return undefined
  const age = Date.now() - writtenMs
  if (!owner.isHere) return age > FOREIGN_MS
  return isOrphaned(name, prefix) || (owner.pid !== process.pid && age > REUSED_PID_MS)
}

/**
 * Whether the process that made a name by {@link ownedName} has surely ended, on this machine. For what may be in use for
 * long without being written to.
 */
export function isOrphaned(name: string, prefix: string): boolean {
  const owner = readOwner(name, prefix)
  if (owner === undefined || !owner.isHere) return false
  // In a container that is started again, the process before had our pid.
  return owner.pid === process.pid ? !held.has(name) : !isAlive(owner.pid)
}

/** Stands for this machine. */
function ownHost(): string {
  knownHost ??= createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
  return knownHost
}

function readOwner(name: string, prefix: string): { isHere: boolean; pid: number } | undefined {
  const [, host, pid] = (name.startsWith(prefix) && OWNER.exec(name.slice(prefix.length))) || []
  return host === undefined ? undefined : { isHere: host === ownHost(), pid: Number(pid) }
}

/** Whether a process with this number runs on this machine, whosever it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCodeOf(error) !== 'ESRCH'
  }
}
