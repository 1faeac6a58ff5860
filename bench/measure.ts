import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What one run of a command took. */
export interface Measurement {
  /** Wall clock, in seconds. */
  seconds: number
  /** Of all its processes, user and system, in seconds. */
  cpuSeconds: number
  /** The most resident memory of the process that was started, in MB; undefined where the system doesn't tell. */
  peakMB: number | undefined
}

/** A command to measure. */
export interface Command {
  program: string
  parameters: readonly string[]
  /** The whole environment. */
  env: Readonly<Record<string, string>>
  /** A file that is piped into it with `cat`. */
  stdinFile?: string
}

/** How often the memory of a running process is looked at. The system keeps its maximum: only the last look counts. */
const LOOK_EVERY_MS = 10
const MARK = 'measured-by-bench'
/** bash measures what it ran with all its children, which Node can't. */
const TIMED = `TIMEFORMAT='${MARK} %R %U %S'; time "$@"`
const TIMED_PIPE = `TIMEFORMAT='${MARK} %R %U %S'; file=$1; shift; time cat "$file" | "$@"`

/**
 * Runs a command to its end.
 *
 * @throws Error when it fails, with what it wrote
 */
export async function measure(command: Command): Promise<Measurement> {
  const { program, parameters, stdinFile, env } = command
  const script = stdinFile === undefined ? ['-c', TIMED, 'bench'] : ['-c', TIMED_PIPE, 'bench', stdinFile]
  const child = spawn('bash', [...script, program, ...parameters], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.on('data', chunk => {
    text += chunk
  })
  let peakKB: number | undefined
  const look = setInterval(() => {
    for (const pid of child.pid === undefined ? [] : childrenOf(child.pid)) {
      peakKB = Math.max(peakKB ?? 0, peakOf(pid)) || undefined
    }
  }, LOOK_EVERY_MS)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  clearInterval(look)
  const times = new RegExp(`^${MARK} (\\S+) (\\S+) (\\S+)$`, 'm').exec(text)
  if (code !== 0 || times === null) throw new Error(`${program} ${parameters.join(' ')} failed:\n${text}`)
  const [seconds = 0, user = 0, system = 0] = times.slice(1).map(Number)
  return { seconds, cpuSeconds: user + system, peakMB: peakKB === undefined ? undefined : peakKB / 1024 }
}

function childrenOf(pid: number): number[] {
  return procFile(`${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(procFile(`${pid}/status`))?.[1] ?? 0)
}

/** Empty for a process that has ended, and on systems without such files. */
function procFile(name: string): string {
  try {
    return readFileSync(`/proc/${name}`, 'utf8')
  } catch {
    return ''
  }
}

/** The middle one of some numbers; the mean of the two in the middle of an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length / 2
  const [low = Number.NaN, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return (low + high) / 2
}
