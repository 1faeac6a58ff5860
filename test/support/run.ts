import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from './temporary-folder.js'

/** What a command wrote and how it ended. */
export interface RunResult {
  /** The exit code; null when a signal ended it. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** What {@link RunResult.stdout} is made of, for a command that writes an archive there. */
  stdoutBytes: Buffer
}

/** How to run a command. */
export interface RunOptions {
  /** The whole environment. Only PATH and TMPDIR of our own are passed on when not given. */
  env?: Readonly<Record<string, string>>
  /** What the command reads; nothing when not given. */
  stdin?: string | Uint8Array | Readable
  cwd?: string
  /** How long it may take; a minute when not given. */
  timeoutMs?: number
  /** Ends the command with SIGINT, as Ctrl-C does. */
  interrupt?: AbortSignal
}

/**
 * Runs a command to its end.
 *
 * @throws Error when it can't be started, or takes too long: then it is killed, and the message has what it wrote
 */
export async function run(
  command: string,
  parameters: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const timeoutMs = options.timeoutMs ?? 60_000
  const child = spawn(command, parameters, {
    env: options.env ?? systemEnvironment(),
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', chunk => stdout.push(chunk))
  child.stderr.on('data', chunk => stderr.push(chunk))
  // A command that ends before it has read everything closes the pipe; its exit code tells whether that was right.
  child.stdin.on('error', () => {})
  if (options.stdin instanceof Readable) options.stdin.pipe(child.stdin)
  else child.stdin.end(options.stdin)

  const interrupt = () => child.kill('SIGINT')
  options.interrupt?.addEventListener('abort', interrupt, { once: true })
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, timeoutMs)
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve([code, signal]))
    })
    const stdoutBytes = Buffer.concat(stdout)
    const result = { code, signal, stdout: `${stdoutBytes}`, stderr: `${Buffer.concat(stderr)}`, stdoutBytes }
    if (!late) return result
    throw new Error(
      `${command} ${parameters.join(' ')} took longer than ${timeoutMs} ms\n${result.stdout}${result.stderr}`,
    )
  } finally {
    clearTimeout(timer)
    options.interrupt?.removeEventListener('abort', interrupt)
  }
}

/** The environment that a tool needs to be found at all, and nothing of whoever runs the tests. */
export function systemEnvironment(): Record<string, string> {
  const { PATH = '', TMPDIR } = process.env
  return {
    PATH: `${PATH}:/usr/sbin:/sbin`,
    ...(TMPDIR !== undefined && { TMPDIR }),
    REGCTL_CODE_CACHE_DIR: CODE_CACHE,
  }
}

/** regctl's compiled code, which is the same for all its users: each of them starts as one who used it before. */
const CODE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/regctl-code', import.meta.url))

/**
 * The environment of someone who never logged in anywhere and configured nothing.
 *
 * @param home an existing folder, for everything that is kept for a user
 */
export function cleanEnvironment(home: string): Record<string, string> {
  return {
    ...systemEnvironment(),
    HOME: home,
    DOCKER_CONFIG: join(home, '.docker'),
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_CACHE_HOME: join(home, '.cache'),
    XDG_DATA_HOME: join(home, '.local/share'),
    XDG_STATE_HOME: join(home, '.local/state'),
    XDG_RUNTIME_DIR: join(home, '.run'),
  }
}

/** Runs this checkout's `regctl` as a process, for a user who never used it before. */
export function regctl(...parameters: string[]): Promise<RunResult> {
  return regctlWith({}, ...parameters)
}

/**
 * As {@link regctl}, with options. Several calls that shall find each other's logins and caches share one `home`;
 * `env` adds to the clean environment.
 */
export async function regctlWith(
  options: RunOptions & { home?: string },
  ...parameters: string[]
): Promise<RunResult> {
  await using folder = await temporaryFolder()
  const env = { ...cleanEnvironment(options.home ?? folder.path), ...options.env }
  return await run(process.execPath, [START_FILE, ...parameters], { ...options, env })
}

/** The built command. */
export const START_FILE = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
