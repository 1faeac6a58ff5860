import { join } from 'node:path'
import { startDockerRegistry } from '../test/support/docker-registry.js'
import { temporaryFolder } from '../test/support/temporary-folder.js'
import type { Tool, Work } from './tools.js'
import { type TrialOptions, trial } from './trial.js'

/** The memory that regctl needed for a piece of work. */
export interface MemoryRow {
  id: string
  title: string
  /** Of the image, uncompressed. */
  sizeMB: number
  /** Resident, at most; undefined where the system doesn't tell. */
  peakMB: number | undefined
}

/**
 * Measures the memory of every way that an image can take. Each way begins where another one ended, which saves the time
 * and the disk that preparing an image of several gigabytes for each of them would cost.
 *
 * @param archive a docker-archive of plain layers
 * @param sizeMB the image's size, uncompressed
 */
export async function measureMemory(regctl: Tool, archive: string, sizeMB: number): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = []
  const row = async (
    { id, title }: { id: string; title: string },
    work: Work,
    from: string,
    to: string,
    options: TrialOptions = { registries: [] },
  ) => {
    const { peakMB, seconds } = await trial(regctl, work, from, to, options)
    process.stderr.write(`memory ${id} ${sizeMB} MB: ${peakMB?.toFixed(0)} MB, ${seconds.toFixed(1)} s\n`)
    rows.push({ id, title, sizeMB, peakMB })
  }
  /** Pushes or copies to a registry that goes away afterwards. */
  const intoRegistry = async (title: { id: string; title: string }, work: Work, from: string) => {
    await using target = await startDockerRegistry()
    const stdin = from === '-' ? { stdinFile: archive } : {}
    await row(title, work, from, `${target.host}/bench/image:1`, { registries: [target], ...stdin })
  }
  /** Writes a file that goes away afterwards. */
  const intoFile = async (title: { id: string; title: string }, work: Work, from: string) => {
    await using target = await temporaryFolder()
    await row(title, work, from, join(target.path, 'image.tar'))
  }

  await intoRegistry(
    { id: 'push-pipe', title: 'push a docker-archive from a pipe' },
    'push-docker-archive',
    '-',
  )
  await using registry = await startDockerRegistry()
  const image = `${registry.host}/bench/image:1`
  const pushed = { id: 'push-archive', title: 'push a docker-archive of plain layers' }
  await row(pushed, 'push-docker-archive', archive, image, { registries: [registry] })
  await intoFile(
    { id: 'pull-archive', title: 'pull to a docker-archive (gzip layers)' },
    'pull-docker-archive',
    image,
  )
  const plain = { id: 'pull-plain', title: 'pull to a docker-archive (plain layers)' }
  await intoFile(plain, 'pull-plain-docker-archive', image)
  await intoRegistry({ id: 'copy', title: 'copy between two registries' }, 'copy', image)
  await using folder = await temporaryFolder()
  const layout = join(folder.path, 'layout')
  await row({ id: 'pull-layout', title: 'pull to an OCI layout' }, 'pull-layout', image, layout)
  await intoRegistry({ id: 'push-layout', title: 'push an OCI layout' }, 'push-layout', layout)
  await intoFile({ id: 'export', title: 'export the root file system' }, 'export', layout)
  return rows
}
