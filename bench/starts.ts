import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startDockerRegistry } from '../test/support/docker-registry.js'
import { cleanEnvironment } from '../test/support/run.js'
import { temporaryFolder } from '../test/support/temporary-folder.js'
import { tinyLayout } from './data.js'
import { measure } from './measure.js'
import { START_FILE, type Tool } from './tools.js'
import { fill } from './trial.js'
import { versionOf } from './versions.js'

/** How long something takes to start. */
export interface StartRow {
  /** The tool; `node` is Node itself, with an empty file. */
  tool: string
  /** The version of the Node that runs it; undefined for peers. */
  node?: string
  /** What it was asked to do. */
  command: string
  /** Whether it had never run before for this user. */
  isFirst: boolean
  wallMs: number
  cpuMs: number
}

const RUNS = 20

/**
 * Measures how long Node, regctl and its peers take to start.
 *
 * @param nodes the Nodes to run regctl on: programs, or versions which npx gets
 * @param tools regctl isn't needed among them
 * @param dataFolder keeps data between runs
 */
export async function measureStarts(
  nodes: readonly string[],
  tools: readonly Tool[],
  dataFolder: string,
): Promise<StartRow[]> {
  await using folder = await temporaryFolder()
  await using registry = await startDockerRegistry()
  await fill(registry, await tinyLayout(dataFolder, 1), 'bench/start')
  const empty = join(folder.path, 'empty.cjs')
  await writeFile(empty, '')
  const commands = {
    '--version': ['--version'],
    '--help': ['--help'],
    digest: ['digest', `${registry.host}/bench/start:1`],
  }
  const rows: StartRow[] = []
  for (const program of nodes.flatMap(nodeProgram)) {
    const node = versionOf(program, ['--version']) ?? program
    const cases: Case[] = [
      { tool: 'node', node, command: 'an empty file', launch: [program], parameters: [empty] },
    ]
    for (const isFirst of [false, true]) {
      for (const [command, parameters] of Object.entries(commands)) {
        cases.push({ tool: 'regctl', node, command, isFirst, launch: [program, START_FILE], parameters })
      }
    }
    rows.push(...(await measureCases(cases)))
  }
  const peers = tools.filter(({ name }) => name !== 'regctl')
  const cases = peers.map(({ name, launch, askVersion }) => {
    return { tool: name, command: askVersion.join(' '), launch, parameters: askVersion }
  })
  return [...rows, ...(await measureCases(cases))]
}

/** Something to start. */
interface Case {
  tool: string
  node?: string
  command: string
  isFirst?: boolean
  launch: Tool['launch']
  parameters: readonly string[]
}

/** One after the other, so that whatever else the machine does meets all alike. */
async function measureCases(cases: readonly Case[]): Promise<StartRow[]> {
  await using user = await temporaryFolder()
  const timed = cases.map(one => ({ one, wall: [] as number[], cpu: [] as number[] }))
  // What isn't measured for the first time has run before.
  for (const { one } of timed) if (one.isFirst !== true) await start(one, user.path)
  for (let run = 0; run < RUNS; run++) {
    for (const { one, wall, cpu } of timed) {
      await using stranger = await temporaryFolder()
      const { seconds, cpuSeconds } = await start(one, one.isFirst === true ? stranger.path : user.path)
      wall.push(seconds * 1000)
      cpu.push(cpuSeconds * 1000)
    }
  }
  return timed.map(({ one: { launch, parameters, isFirst = false, ...rest }, wall, cpu }) => {
    return { ...rest, isFirst, wallMs: meanOfMiddle(wall), cpuMs: meanOfMiddle(cpu) }
  })
}

async function start(
  { launch, parameters }: Case,
  home: string,
): Promise<{ seconds: number; cpuSeconds: number }> {
  // Compiled code lies in this user's cache too, and not where tests share it.
  const { REGCTL_CODE_CACHE_DIR: _, ...env } = cleanEnvironment(home)
  return await measure({ launch, parameters, env })
}

/** None, with the reason on standard error, where npx can't get it. */
function nodeProgram(given: string): string[] {
  if (!/^\d[\d.]*$/.test(given)) return [given]
  const parameters = ['--yes', '--loglevel=error', `node@${given}`, '--print', 'process.execPath']
  const { status, stdout } = spawnSync('npx', parameters, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status === 0) return [stdout.trim()]
  process.stderr.write(`Start-up is not measured on Node ${given}: npx can't get it\n`)
  return []
}

/**
 * The mean of the middle half of some numbers: as little moved by a busy moment of the machine as the median, and finer
 * than it, since single times are known to a millisecond only, and Node starts within some tens of them.
 */
export function meanOfMiddle(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const quarter = Math.floor(sorted.length / 4)
  const middle = sorted.slice(quarter, sorted.length - quarter)
  return middle.reduce((sum, value) => sum + value, 0) / middle.length
}
