import type { Tool, Work } from './tools.js'
import type { Trial } from './trial.js'

/** What the size of the work depends on. */
export interface BenchOptions {
  /** Where data is kept between runs. */
  dataFolder: string
  /** Size of the large image, uncompressed, in MB. */
  sizeMB: number
  /** Size of the one large blob, in MB. */
  blobMB: number
}

/** A row of the table. */
export interface RowTitle {
  id: string
  /** As the table says it. */
  title: string
}

/** Work that gives one row of the table, or several which belong together. */
export interface Workload {
  rows: readonly RowTitle[]
  /** Whether a tool can do it at all. */
  suits(tool: Tool): boolean
  /** How often it is done at most, for what takes the same time whenever it is done; as often as asked if not given. */
  mostRuns?: number
  /**
   * One trial for each row that the tool can do, from scratch; what it needs around it is set up and taken down outside
   * the measured time.
   *
   * @param wanted the rows that shall be measured
   * @returns the trials by the rows' ids
   */
  run(tool: Tool, wanted: ReadonlySet<string>): Promise<Record<string, Trial>>
}

/** A workload of one row. */
export function workload(
  { id, title }: RowTitle,
  suits: Workload['suits'],
  run: (tool: Tool) => Promise<Trial>,
): Workload {
  return { rows: [{ id, title }], suits, run: async tool => ({ [id]: await run(tool) }) }
}

/** Tools that can do a kind of work. */
export function doing(work: Work): Workload['suits'] {
  return tool => tool.parametersFor(work, '', '') !== undefined
}
