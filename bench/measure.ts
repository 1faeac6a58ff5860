import { spawn } from 'node:child_process'
import { peakDiskUsageMB } from './disk.js'
import { childrenOf, cpuSecondsOf, forgetPeakMemory, peakMemoryMB } from './proc.js'

/** What one run of a command took. */
export interface Measurement {
  /** Wall clock, in seconds. */
  seconds: number
  /** Of all its processes, user and system, in seconds. */
  cpuSeconds: number
  /** The most resident memory of one process, in MB; undefined where the system doesn't tell. */
  peakMB: number | undefined
  /** The most that lay in {@link Command.folders}, in MB; undefined where there are none. */
  diskMB?: number
}

/** A command to measure. */
export interface Command {
  /** The program, and the parameters that always come first. */
  launch: readonly [string, ...string[]]
  parameters: readonly string[]
  /** The whole environment. */
  env: Readonly<Record<string, string>>
  /** A file that is piped into it with `cat`. */
  stdinFile?: string
  /** A process that works for the command: its CPU time is added, and the memory is its own. */
  daemon?: number
  /** Where it keeps files that are of no use to anybody afterwards. */
  folders?: readonly string[]
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
  const { launch, parameters, stdinFile, env, daemon, folders } = command
  const script = stdinFile === undefined ? ['-c', TIMED, 'bench'] : ['-c', TIMED_PIPE, 'bench', stdinFile]
  if (daemon !== undefined) forgetPeakMemory(daemon)
  const cpuBefore = daemon === undefined ? 0 : cpuSecondsOf(daemon)
  const child = spawn('bash', [...script, ...launch, ...parameters], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.on('data', chunk => {
    text += chunk
  })
  const started = () => (child.pid === undefined ? [] : childrenOf(child.pid))
  let peakMB: number | undefined
  const look = setInterval(() => {
    for (const pid of daemon === undefined ? started() : [daemon]) {
      peakMB = Math.max(peakMB ?? 0, peakMemoryMB(pid) ?? 0) || undefined
    }
  }, LOOK_EVERY_MS)
  const end = new AbortController()
  const disk = folders && peakDiskUsageMB(folders, started, end.signal)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  }).finally(() => {
    clearInterval(look)
    end.abort()
  })
  const times = new RegExp(`^${MARK} (\\S+) (\\S+) (\\S+)$`, 'm').exec(text)
  if (code !== 0 || times === null) {
    throw new Error(`${launch.join(' ')} ${parameters.join(' ')} failed:\n${text}`)
  }
  const [seconds = 0, user = 0, system = 0] = times.slice(1).map(Number)
  const cpuOfDaemon = daemon === undefined ? 0 : cpuSecondsOf(daemon) - cpuBefore
  return {
    seconds,
    cpuSeconds: user + system + cpuOfDaemon,
    peakMB,
    ...(disk !== undefined && { diskMB: await disk }),
  }
}

/** The middle one of some numbers; the mean of the two in the middle of an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length / 2
  const [low = Number.NaN, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return (low + high) / 2
}
