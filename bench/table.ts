import { GOALS, isMet, ratioToFastest, startsOf } from './goals.js'
import { middle, type Results } from './results.js'
import type { Trial } from './trial.js'

/** The results as a Markdown document: what tools were compared at, start-up, memory, and which goals are met. */
export function formatResults(results: Results): string {
  const { date, machine, sizeMB } = results
  const { versions, cores, memoryGB, processor, system } = machine
  const told = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const sections = [
    `# Benchmark of ${date}`,
    `${processor}, ${cores} cores, ${memoryGB} GB, ${system}; ${told.join(', ')}. The image has ${sizeMB} MB uncompressed.`,
    ...comparison(results),
    ...startUp(results),
    ...memory(results),
    '## Goals',
    goals(results),
  ]
  return `${sections.join('\n\n')}\n`
}

/** A Markdown table. Numbers stand on the right: all columns but the first ones do, which hold text. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  textColumns = 1,
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const sides = head.map((_, column) => (column < textColumns ? '---' : '---:'))
  return [head, sides, ...rows].map(line).join('\n')
}

/** The memory of regctl for each way of an image, by its size. */
export function formatMemory({ memory: rows }: Results): string {
  const sizes = [...new Set(rows.map(({ sizeMB }) => sizeMB))]
  const titles = new Map(rows.map(({ id, title }) => [id, title]))
  const lines = [...titles].map(([id, title]) => [
    title,
    ...sizes.map(size => fixed(rows.find(row => row.id === id && row.sizeMB === size)?.peakMB, 0)),
  ])
  return formatTable(['work', ...sizes.map(size => `${size} MB`)], lines)
}

/** The names of all tools that did something, in their order. */
export function toolsIn({ machine, rows }: Results): string[] {
  const used = new Set(rows.flatMap(({ trials }) => Object.keys(trials)))
  return Object.keys(machine.versions).filter(tool => used.has(tool))
}

/** How often work was done, as "3" or "1 to 3". */
export function runsIn({ rows }: Results): string {
  const counts = rows.flatMap(({ trials }) => Object.values(trials).map(({ length }) => length))
  return [...new Set([Math.min(...counts), Math.max(...counts)])].join(' to ')
}

/** A number with so many digits after the point; a dash when there is none. */
export function fixed(value: number | undefined, digits: number): string {
  return value?.toFixed(digits) ?? '–'
}

function comparison(results: Results): string[] {
  const { rows } = results
  if (rows.length === 0) return []
  const tools = toolsIn(results)
  const lines = rows.map(row => [
    row.title,
    ...tools.map(tool => formatCell(row.trials[tool] ?? [])),
    fixed(ratioToFastest(row), 2),
  ])
  return [
    '## Transfers',
    `Each cell: seconds of wall clock / CPU seconds / MB of memory at most / requests / MB stored; medians of ${runsIn(results)} runs in turns. CPU time and memory of docker are those of its daemon. Ratio: time of regctl to the fastest peer.`,
    formatTable(['work', ...tools, 'ratio'], lines),
    ...loadNote(results),
    ...diskNote(results),
  ]
}

function formatCell(trials: readonly Trial[]): string {
  if (trials.length === 0) return '–'
  return [
    `**${fixed(
      middle(trials, trial => trial.seconds),
      2,
    )}**`,
    fixed(
      middle(trials, trial => trial.cpuSeconds),
      2,
    ),
    fixed(
      middle(trials, trial => trial.peakMB),
      0,
    ),
    fixed(
      middle(trials, trial => trial.requests),
      0,
    ),
    fixed(
      middle(trials, trial => trial.storedMB),
      0,
    ),
  ].join(' / ')
}

/** What docker does before its push; nothing where it was not measured. */
export function loadNote({ rows }: Results): string[] {
  const trials = rows.find(({ id }) => id === 'push-archive')?.trials.docker
  const load = middle(trials, trial => trial.loadSeconds)
  if (load === undefined) return []
  return [`Before docker can push an archive it loads it, which took ${fixed(load, 2)} s more.`]
}

/** What the cells of regctl don't say. */
function diskNote({ rows }: Results): string[] {
  const trials = rows.find(({ id }) => id === 'push-pipe')?.trials.regctl
  const disk = middle(trials, trial => trial.diskMB)
  if (disk === undefined) return []
  return [`From a pipe, regctl had ${fixed(disk, 0)} MB in files of its own at most, of which none is left.`]
}

function startUp(results: Results): string[] {
  const { starts } = results
  if (starts.length === 0) return []
  const own = [false, true].flatMap(isFirst =>
    [...new Set(starts.map(({ command }) => command))].flatMap(command =>
      startsOf(results, isFirst, command),
    ),
  )
  const bare = starts.filter(({ tool }) => tool === 'node')
  const peers = starts.filter(({ tool }) => tool !== 'node' && tool !== 'regctl')
  return [
    '## Start-up',
    'Milliseconds of wall clock and of CPU, and both in times of the same Node with an empty file; means of the middle half of runs in turns. At the first run regctl finds nothing that it kept before.',
    formatTable(
      ['command', 'run', 'Node', 'wall', 'times Node', 'CPU', 'times Node'],
      [
        ...bare.map(({ command, node = '', wallMs, cpuMs }) => [
          command,
          '',
          node,
          fixed(wallMs, 0),
          '',
          fixed(cpuMs, 0),
          '',
        ]),
        ...own.map(({ regctl, node }) => [
          `regctl ${regctl.command}`,
          regctl.isFirst ? 'first' : 'later',
          regctl.node ?? '',
          fixed(regctl.wallMs, 0),
          fixed(regctl.wallMs / node.wallMs, 2),
          fixed(regctl.cpuMs, 0),
          fixed(regctl.cpuMs / node.cpuMs, 2),
        ]),
        ...peers.map(({ tool, command, wallMs, cpuMs }) => [
          `${tool} ${command}`,
          'later',
          '',
          fixed(wallMs, 0),
          '',
          fixed(cpuMs, 0),
          '',
        ]),
      ],
      3,
    ),
  ]
}

function memory(results: Results): string[] {
  if (results.memory.length === 0) return []
  return [
    '## Memory',
    'Resident memory of regctl at most, in MB, by the size of the image.',
    formatMemory(results),
  ]
}

function goals(results: Results): string {
  const lines = GOALS.map(goal => {
    const { title, atMost, atLeast, digits, figureIn } = goal
    const figure = figureIn(results)
    const limit = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`
    const verdict = figure === undefined ? 'not measured' : isMet(goal, figure) ? 'yes' : 'no'
    return [title, limit, fixed(figure, digits), verdict]
  })
  return formatTable(['goal', 'wanted', 'found', 'met'], lines)
}
