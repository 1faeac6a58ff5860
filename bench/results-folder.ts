import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Results } from './results.js'
import { formatResults } from './table.js'

const FILE = 'results.json'

/** The results that were written to a folder; undefined when there are none. */
export async function readResults(folder: string): Promise<Results | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, FILE), 'utf8')) as Results
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes results to a folder: as JSON, and as a document. */
export async function writeResults(folder: string, results: Results): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, FILE), `${JSON.stringify(results, undefined, 2)}\n`)
  await writeFile(join(folder, 'results.md'), formatResults(results))
}
