import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from './temporary-folder.js'

/** A file system of its own, in memory, that is soon full. Disposing takes it away. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string
  /** Takes all the room that is left, but for so many bytes. */
  fill(leftBytes: number): Promise<void>
}

/** Why no disk can be made here; undefined when one can. */
export function missingSmallDisk(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'only root of a Linux system can mount a disk'
  const tried = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'])
  return tried.status === 0 ? undefined : 'nothing may be mounted here'
}

/**
 * Makes a disk.
 *
 * @throws Error when it can't be mounted: ask {@link missingSmallDisk} before
 */
export async function smallDisk(sizeBytes: number): Promise<SmallDisk> {
  const folder = await temporaryFolder()
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder.path])
  if (mounted.status !== 0) throw new Error(`no disk was mounted: ${mounted.stderr}`)
  return {
    path: folder.path,
    async fill(leftBytes) {
      const { stdout } = spawnSync('df', ['-B1', '--output=avail', folder.path])
      const freeBytes = Number(`${stdout}`.trim().split('\n').at(-1))
      await writeFile(join(folder.path, 'filler'), Buffer.alloc(Math.max(0, freeBytes - leftBytes)))
    },
    async [Symbol.asyncDispose]() {
      spawnSync('umount', ['-l', folder.path])
      await folder[Symbol.asyncDispose]()
    },
  }
}
