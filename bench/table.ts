import type { Machine } from './machine.js'
import { median } from './measure.js'
import type { Trial } from './workloads.js'

/** What came of one row: the trials of each tool, by its name. */
export interface Row {
  id: string
  title: string
  trials: Record<string, Trial[]>
}

/** What a run of the benchmark gave. */
export interface Results {
  /** The day, as YYYY-MM-DD. */
  date: string
  machine: Machine
  /** Uncompressed, of the large image; of the one large blob; in MB. */
  sizeMB: number
  blobMB: number
  rows: Row[]
}

/** The results as a Markdown document: a line for each row, with the medians of each tool. */
export function formatResults({ date, machine, sizeMB, blobMB, rows }: Results): string {
  const tools = [...new Set(rows.flatMap(({ trials }) => Object.keys(trials)))]
  const { versions, cores, memoryGB, processor, system } = machine
  const told = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `# Benchmark of ${date}`,
    '',
    `${processor}, ${cores} cores, ${memoryGB} GB, ${system}; ${told.join(', ')}. The image has ${sizeMB} MB, the large blob ${blobMB} MB.`,
    'Each cell: seconds of wall clock / CPU seconds / MB of memory at most / requests / MB stored; medians of interleaved runs.',
    'Ratio: time of regctl to the fastest peer.',
    '',
    `| work | ${tools.join(' | ')} | ratio |`,
    `| --- |${' --- |'.repeat(tools.length + 1)}`,
    ...rows.map(row => formatRow(row, tools)),
    '',
  ].join('\n')
}

function formatRow({ title, trials }: Row, tools: readonly string[]): string {
  const cells = tools.map(tool => formatCell(trials[tool] ?? []))
  return `| ${title} | ${cells.join(' | ')} | ${ratioOf(trials)} |`
}

function formatCell(trials: readonly Trial[]): string {
  if (trials.length === 0) return '–'
  const middle = (of: (trial: Trial) => number | undefined, digits: number) => {
    const values = trials.map(of).filter(value => value !== undefined)
    return values.length === 0 ? '–' : median(values).toFixed(digits)
  }
  return [
    `**${middle(({ seconds }) => seconds, 2)}**`,
    middle(({ cpuSeconds }) => cpuSeconds, 2),
    middle(({ peakMB }) => peakMB, 0),
    middle(({ requests }) => requests, 0),
    middle(({ storedMB }) => storedMB, 0),
  ].join(' / ')
}

/** `–` where no peer does it. */
function ratioOf(trials: Row['trials']): string {
  const times = Object.entries(trials).map(([tool, runs]) => ({
    tool,
    seconds: median(runs.map(({ seconds }) => seconds)),
  }))
  const own = times.find(({ tool }) => tool === 'regctl')
  const peers = times.filter(({ tool }) => tool !== 'regctl')
  if (own === undefined || peers.length === 0) return '–'
  return (own.seconds / Math.min(...peers.map(({ seconds }) => seconds))).toFixed(2)
}
