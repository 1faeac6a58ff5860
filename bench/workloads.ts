import { join } from 'node:path'
import { startDockerRegistry } from '../test/support/docker-registry.js'
import { temporaryFolder } from '../test/support/temporary-folder.js'
import { randomArchive, realLayout, tinyLayout } from './data.js'
import { diskUsageMB } from './disk.js'
import { LINE_BYTES_PER_SECOND, type LineOptions, startLine } from './line.js'
import { archivePushes } from './pushes.js'
import type { Tool, Work } from './tools.js'
import { fill, type Trial, trial } from './trial.js'
import { type BenchOptions, doing, type RowTitle, type Workload, workload } from './workload.js'

const TINY_LAYERS = 60
const ROUND_TRIP_MS = 50

/** Every row that tools are compared at, in the order of the table. */
export function workloads(options: BenchOptions): Workload[] {
  const { dataFolder, sizeMB } = options
  const real = () => realLayout(dataFolder, sizeMB)
  const tiny = () => tinyLayout(dataFolder, TINY_LAYERS)
  return [
    archivePushes(options),
    pushing({ id: 'push-layout', title: 'push its OCI layout (gzip layers)' }, real),
    pulling({ id: 'pull-layout', title: 'pull to an OCI layout' }, 'pull-layout', real),
    pulling(
      { id: 'pull-archive', title: 'pull to a docker-archive (gzip layers)' },
      'pull-docker-archive',
      real,
    ),
    pulling(
      { id: 'pull-plain', title: 'pull to a docker-archive (plain layers)' },
      'pull-plain-docker-archive',
      real,
    ),
    copying({ id: 'copy', title: 'copy between two registries' }, real),
    pushing(
      { id: 'tiny-push', title: `push ${TINY_LAYERS} tiny layers at ${ROUND_TRIP_MS} ms round trip` },
      tiny,
      ROUND_TRIP_MS,
    ),
    pulling({ id: 'tiny-pull', title: 'pull them' }, 'pull-layout', tiny, { roundTripMs: ROUND_TRIP_MS }),
    copying({ id: 'tiny-copy', title: 'copy them between two such registries' }, tiny, ROUND_TRIP_MS),
    longLine(options),
  ]
}

function pushing(row: RowTitle, layout: () => Promise<string>, roundTripMs = 0): Workload {
  return workload(row, doing('push-layout'), async tool => {
    const from = await layout()
    await using registry = await startDockerRegistry()
    await using line = await startLine(registry.host, { roundTripMs })
    const to = `${line.host}/bench/image:1`
    return await trial(tool, 'push-layout', from, to, { registries: [registry] })
  })
}

function pulling(row: RowTitle, work: Work, from: () => Promise<string>, over: LineOptions = {}): Workload {
  return workload(row, doing(work), async tool => {
    await using registry = await startDockerRegistry()
    await fill(registry, await from(), 'bench/image')
    await using line = await startLine(registry.host, over)
    await using target = await temporaryFolder()
    const to = join(target.path, work === 'pull-layout' ? 'layout' : 'image.tar')
    const done = await trial(tool, work, `${line.host}/bench/image:1`, to, { registries: [registry] })
    return { ...done, storedMB: await diskUsageMB(target.path) }
  })
}

function copying(row: RowTitle, layout: () => Promise<string>, roundTripMs = 0): Workload {
  return workload(row, doing('copy'), async (tool: Tool): Promise<Trial> => {
    await using source = await startDockerRegistry()
    await using target = await startDockerRegistry()
    await fill(source, await layout(), 'bench/image')
    await using sourceLine = await startLine(source.host, { roundTripMs })
    await using targetLine = await startLine(target.host, { roundTripMs })
    const [from, to] = [`${sourceLine.host}/bench/image:1`, `${targetLine.host}/bench/image:1`]
    return await trial(tool, 'copy', from, to, { registries: [source, target] })
  })
}

/** The line alone decides how long it takes over one connection, so that there is no need to do it often. */
function longLine({ dataFolder, blobMB }: BenchOptions): Workload {
  const title = `pull a blob of ${blobMB} MB over a line of 100 Mbit for each connection`
  // What looks random compresses to about one half.
  const archive = () => randomArchive(dataFolder, [2 * blobMB])
  const over = { bytesPerSecond: LINE_BYTES_PER_SECOND }
  return { ...pulling({ id: 'long-line', title }, 'pull-layout', archive, over), mostRuns: 1 }
}
