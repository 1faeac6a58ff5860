import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'

// What Linux tells of processes, see proc(5). Elsewhere, and of a process that has ended, nothing is known.

/** Linux counts in hundredths of a second, whatever its kernel does inside. */
const TICKS_PER_SECOND = 100

/** The processes that a process has started and not yet waited for. */
export function childrenOf(pid: number): number[] {
  return namesIn(`${pid}/task`).flatMap(thread =>
    textOf(`${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  )
}

/** The most resident memory that a process had so far, in MB; undefined when unknown. */
export function peakMemoryMB(pid: number): number | undefined {
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(textOf(`${pid}/status`))?.[1]
  return kilobytes === undefined ? undefined : (Number(kilobytes) * 1024) / 1e6
}

/** Lets {@link peakMemoryMB} begin anew. */
export function forgetPeakMemory(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** The CPU time that a process and those below it have taken so far, user and system, in seconds. */
export function cpuSecondsOf(pid: number): number {
  // The name, which comes second, may have spaces in it.
  const [, rest = ''] = /\) (.*)/.exec(textOf(`${pid}/stat`)) ?? []
  // utime, stime, and of children that have ended cutime and cstime.
  const ticks = rest.split(' ').slice(11, 15).map(Number)
  const below = childrenOf(pid).map(cpuSecondsOf)
  return sum(ticks) / TICKS_PER_SECOND + sum(below)
}

/** The size of the files that a process has open and that have no name any more, in bytes. */
export function namelessBytes(pid: number): number {
  const sizes = namesIn(`${pid}/fd`).map(name => {
    const path = `/proc/${pid}/fd/${name}`
    try {
      return readlinkSync(path).endsWith(' (deleted)') ? statSync(path).size : 0
    } catch {
      return 0
    }
  })
  return sum(sizes)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(`/proc/${folder}`)
  } catch {
    return []
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(`/proc/${file}`, 'utf8')
  } catch {
    return ''
  }
}
