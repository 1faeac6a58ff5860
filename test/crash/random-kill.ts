import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { cleanEnvironment } from '../support/run.js'

const START_FILE = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
/** It takes about so long before a command begins with its work. */
const EARLIEST_MS = 150

/** How many commands are killed in all. `REGCTL_KILLS=300` for a long run. */
export const KILLS = Number(process.env.REGCTL_KILLS ?? 30)
/** For a test that kills a part of them, on a machine that has other things to do. */
export const LIMIT_MS = 120_000 + 4000 * KILLS
/** The same seed gives the same moments; what has happened by then still depends on the machine. */
export const SEED = Number(process.env.REGCTL_SEED ?? Date.now() % 1_000_000)

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A run of the built command, as a user of their own does it. */
export interface CommandRun {
  parameters: readonly string[]
  /** An existing folder: runs that share it share cache and logins. */
  home: string
  env?: Readonly<Record<string, string>>
  stdin?: string
}

/** How a run ended. */
export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  /** Both outputs. */
  output: string
  tookMs: number
}

/** Runs a command to its end, or kills it (`SIGKILL`) after so many milliseconds. */
export async function runOrKill(command: CommandRun, killAfterMs?: number): Promise<Ended> {
  const startMs = performance.now()
  const child = spawn(process.execPath, [START_FILE, ...command.parameters], {
    env: { ...cleanEnvironment(command.home), ...command.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      output += chunk
    })
  }
  child.stdin.on('error', () => {})
  child.stdin.end(command.stdin)
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs ?? 60_000)
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  clearTimeout(timer)
  return { code, signal, output, tookMs: performance.now() - startMs }
}

/**
 * Kills a command at a random moment before its usual end. Some runs come to their end all the same.
 *
 * @param usualMs how long it takes when nobody kills it
 */
export async function killAtRandom(
  command: CommandRun,
  usualMs: number,
  random: () => number,
): Promise<Ended & { killedAfterMs: number }> {
  const killedAfterMs = EARLIEST_MS + random() * Math.max(usualMs - EARLIEST_MS, 0)
  return { ...(await runOrKill(command, killedAfterMs)), killedAfterMs: Math.round(killedAfterMs) }
}

/** Ends a process with `SIGKILL`, and waits until it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
