import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { namelessBytes } from './proc.js'

const LOOK_EVERY_MS = 50

/** The sizes of all files below a folder, in MB. */
export async function diskUsageMB(folder: string): Promise<number> {
  return (await bytesBelow(folder)) / 1e6
}

/**
 * Watches how much lies in some folders, and in files without a name that processes have open.
 *
 * @param processes asked at each look
 * @param signal ends it
 * @returns the most that was seen, in MB
 */
export async function peakDiskUsageMB(
  folders: readonly string[],
  processes: () => readonly number[],
  signal: AbortSignal,
): Promise<number> {
  let peak = 0
  while (!signal.aborted) {
    const sizes = await Promise.all(folders.map(bytesBelow))
    const bytes = [...sizes, ...processes().map(namelessBytes)].reduce((sum, size) => sum + size, 0)
    peak = Math.max(peak, bytes)
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {})
  }
  return peak / 1e6
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name)
    const found = await lstat(path).catch(() => undefined)
    bytes += found?.isDirectory() ? await bytesBelow(path) : (found?.size ?? 0)
  }
  return bytes
}
