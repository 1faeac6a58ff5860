import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HOOK = fileURLToPath(new URL('./peak-memory.mjs', import.meta.url))
const FILE = 'peak-memory'

/** The environment of a node process whose peak memory shall be known. @param folder where it is noted */
export function withPeakMemory(folder: string): Record<string, string> {
  return { NODE_OPTIONS: `--import ${HOOK}`, PEAK_MEMORY_FILE: join(folder, FILE) }
}

/** The peak resident memory of such a process after its end, in MB. */
export function readPeakMemory(folder: string): number {
  return Number(readFileSync(join(folder, FILE), 'utf8')) / 1024
}
