import type { Machine } from './machine.js'
import { median } from './measure.js'
import type { MemoryRow } from './memory.js'
import type { StartRow } from './starts.js'
import type { Trial } from './trial.js'

/** What came of one row: the trials of each tool, by its name. */
export interface Row {
  id: string
  title: string
  trials: Record<string, Trial[]>
}

/** What the benchmark found, in one run or in several. */
export interface Results {
  /** The day of the last run, as YYYY-MM-DD. */
  date: string
  machine: Machine
  /** Uncompressed, of the large image; of the one large blob; in MB. */
  sizeMB: number
  blobMB: number
  rows: Row[]
  starts: StartRow[]
  memory: MemoryRow[]
}

/**
 * Adds what was measured now to what was measured before: a row that was measured again is replaced.
 *
 * @param order the ids of all rows, in the order of the table
 */
export function addResults(before: Results, now: Results, order: readonly string[]): Results {
  const replaced = new Set(now.rows.map(({ id }) => id))
  const rows = [...before.rows.filter(({ id }) => !replaced.has(id)), ...now.rows]
  const sizes = new Set(now.memory.map(({ sizeMB }) => sizeMB))
  return {
    ...now,
    machine: { ...now.machine, versions: { ...before.machine.versions, ...now.machine.versions } },
    rows: rows.sort((one, other) => order.indexOf(one.id) - order.indexOf(other.id)),
    starts: now.starts.length > 0 ? now.starts : before.starts,
    memory: [...before.memory.filter(({ sizeMB }) => !sizes.has(sizeMB)), ...now.memory].sort(
      (one, other) => one.sizeMB - other.sizeMB,
    ),
  }
}

/** The median of something over a tool's trials; undefined where it was not measured. */
export function middle(
  trials: readonly Trial[] | undefined,
  of: (trial: Trial) => number | undefined,
): number | undefined {
  const values = (trials ?? []).map(of).filter(value => value !== undefined)
  return values.length === 0 ? undefined : median(values)
}
