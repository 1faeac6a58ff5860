import { temporaryFolder } from '../test/support/temporary-folder.js'
import { layerSizesMB, randomArchive, realArchive } from './data.js'
import { type MemoryRow, measureMemory } from './memory.js'
import type { Row } from './results.js'
import type { Tool } from './tools.js'
import type { BenchOptions, Workload } from './workload.js'

/**
 * Does a piece of work with every tool. They take turns, so that a busy moment of the machine hits all of them alike.
 *
 * @param wanted the ids of the rows to measure
 * @param runs how often, where the workload doesn't want less
 * @returns those rows that the workload has; none when none of its rows is wanted
 */
export async function runWorkload(
  { rows, suits, run, mostRuns = Number.POSITIVE_INFINITY }: Workload,
  tools: readonly Tool[],
  wanted: ReadonlySet<string>,
  runs: number,
): Promise<Row[]> {
  const measured = rows.filter(({ id }) => wanted.has(id)).map((row): Row => ({ ...row, trials: {} }))
  if (measured.length === 0) return []
  for (let round = 0; round < Math.min(runs, mostRuns); round++) {
    for (const tool of tools.filter(suits)) {
      const done = await run(tool, wanted).catch(failedPeer(tool))
      for (const { id, trials } of measured) {
        const trial = done[id]
        if (trial === undefined) continue
        process.stderr.write(`${id} ${tool.name}: ${trial.seconds.toFixed(2)} s\n`)
        trials[tool.name] = [...(trials[tool.name] ?? []), trial]
      }
    }
  }
  return measured
}

/** A peer that can't do its work is left out; regctl has to be able to. */
function failedPeer(tool: Tool): (error: unknown) => Record<string, never> {
  return error => {
    if (tool.name === 'regctl') throw error
    process.stderr.write(`${tool.name} is left out: ${error instanceof Error ? error.message : error}\n`)
    return {}
  }
}

/** Measures regctl's memory with the large image, and with one that is `largeMB`, as far as that is wanted. */
export async function runMemory(
  regctl: Tool,
  wanted: ReadonlySet<string>,
  { dataFolder, sizeMB }: BenchOptions,
  largeMB: number,
): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = []
  if (wanted.has('memory')) {
    rows.push(...(await measureMemory(regctl, await realArchive(dataFolder, sizeMB), sizeMB)))
  }
  if (wanted.has('memory-large')) {
    // Too large to be kept.
    await using folder = await temporaryFolder()
    const archive = await randomArchive(folder.path, layerSizesMB(largeMB))
    rows.push(...(await measureMemory(regctl, archive, largeMB)))
  }
  return rows
}
