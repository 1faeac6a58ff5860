import { join } from 'node:path'
import { type DockerRegistry, startDockerRegistry } from '../test/support/docker-registry.js'
import { type FaultyProxy, startFaultyProxy } from '../test/support/faulty-proxy.js'
import { cleanEnvironment } from '../test/support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../test/support/temporary-folder.js'
import { randomArchive, realArchive, realLayout, tinyLayout } from './data.js'
import { diskUsageMB } from './disk.js'
import { type Measurement, measure } from './measure.js'
import type { Tool, Work } from './tools.js'

/** What one trial gave. */
export interface Trial extends Measurement {
  /** What the registries were asked, where that is counted. */
  requests?: number
  /** What lay in the registry, or in the target, afterwards, in MB. */
  storedMB?: number
}

/** A row of the table. */
export interface Workload {
  id: string
  /** As the table says it. */
  title: string
  /** Whether a tool can do it at all. */
  suits(tool: Tool): boolean
  /** One trial, from scratch; what it needs around it is set up and taken down outside the measured time. */
  run(tool: Tool, options: BenchOptions): Promise<Trial>
}

/** What the size of the work depends on. */
export interface BenchOptions {
  /** Where data is kept between runs. */
  dataFolder: string
  /** Size of the large image, uncompressed, in MB. */
  sizeMB: number
  /** Size of the one large blob, in MB. */
  blobMB: number
}

const TINY_LAYERS = 60
const ROUND_TRIP_MS = 50
/** 100 Mbit for each connection. */
const LINE_BYTES_PER_SECOND = 12_500_000

/** Every row, in the order of the table. */
export const workloads: readonly Workload[] = [
  pushing(
    'push-archive',
    'push a docker-archive of plain layers',
    'push-docker-archive',
    ({ dataFolder, sizeMB }) => realArchive(dataFolder, sizeMB),
  ),
  {
    ...pushing('push-again', 'the same again', 'push-docker-archive', ({ dataFolder, sizeMB }) =>
      realArchive(dataFolder, sizeMB),
    ),
    run: pushAgain,
  },
  pushing('push-layout', 'push its OCI layout (gzip layers)', 'push-layout', ({ dataFolder, sizeMB }) =>
    realLayout(dataFolder, sizeMB),
  ),
  pulling('pull-layout', 'pull to an OCI layout', 'pull-layout'),
  pulling('pull-archive', 'pull to a docker-archive (gzip layers)', 'pull-docker-archive'),
  pulling('pull-plain', 'pull to a docker-archive (plain layers)', 'pull-plain-docker-archive'),
  {
    id: 'copy',
    title: 'copy between two registries',
    suits: suits('copy'),
    run: (tool, options) => copyBetween(tool, realLayout(options.dataFolder, options.sizeMB), 0),
  },
  {
    id: 'tiny-push',
    title: `push ${TINY_LAYERS} tiny layers at ${ROUND_TRIP_MS} ms round trip`,
    suits: suits('push-layout'),
    run: async (tool, { dataFolder }) => {
      await using registry = await startDockerRegistry()
      await using far = await startFaultyProxy(registry.host, { roundTripMs: ROUND_TRIP_MS })
      const layout = await tinyLayout(dataFolder, TINY_LAYERS)
      return await trial(tool, 'push-layout', layout, `${far.host}/bench/tiny:1`, [registry])
    },
  },
  {
    id: 'tiny-pull',
    title: 'pull them',
    suits: suits('pull-layout'),
    run: async (tool, { dataFolder }) => {
      await using registry = await startDockerRegistry()
      await fill(registry, await tinyLayout(dataFolder, TINY_LAYERS), 'bench/tiny')
      await using far = await startFaultyProxy(registry.host, { roundTripMs: ROUND_TRIP_MS })
      await using target = await temporaryFolder()
      const to = join(target.path, 'layout')
      return await trial(tool, 'pull-layout', `${far.host}/bench/tiny:1`, to, [registry])
    },
  },
  {
    id: 'tiny-copy',
    title: 'copy them between two such registries',
    suits: suits('copy'),
    run: (tool, { dataFolder }) => copyBetween(tool, tinyLayout(dataFolder, TINY_LAYERS), ROUND_TRIP_MS),
  },
  {
    id: 'long-line',
    title: 'pull one large blob over a line of 100 Mbit for each connection',
    suits: suits('pull-layout'),
    run: async (tool, { dataFolder, blobMB }) => {
      await using registry = await startDockerRegistry()
      await fill(registry, await randomArchive(dataFolder, 2 * blobMB), 'bench/blob')
      await using line = await startFaultyProxy(registry.host, { bytesPerSecond: LINE_BYTES_PER_SECOND })
      await using target = await temporaryFolder()
      const to = join(target.path, 'layout')
      return await trial(tool, 'pull-layout', `${line.host}/bench/blob:1`, to, [registry])
    },
  },
  {
    id: 'push-pipe',
    title: 'push the docker-archive from a pipe',
    suits: ({ name }) => name === 'regctl',
    run: async (tool, { dataFolder, sizeMB }) => {
      const stdinFile = await realArchive(dataFolder, sizeMB)
      await using registry = await startDockerRegistry()
      return await trial(tool, 'push-docker-archive', '-', `${registry.host}/bench/image:1`, [registry], {
        stdinFile,
      })
    },
  },
]

function suits(work: Work): Workload['suits'] {
  return tool => tool.parametersFor(work, '', '') !== undefined
}

function pushing(
  id: string,
  title: string,
  work: Work,
  dataOf: (options: BenchOptions) => Promise<string>,
): Workload {
  return {
    id,
    title,
    suits: suits(work),
    run: async (tool, options) => {
      const from = await dataOf(options)
      await using registry = await startDockerRegistry()
      return await trial(tool, work, from, `${registry.host}/bench/image:1`, [registry])
    },
  }
}

/** The first push is not measured; the second one finds everything in place, and what the tool remembers. */
async function pushAgain(tool: Tool, { dataFolder, sizeMB }: BenchOptions): Promise<Trial> {
  const from = await realArchive(dataFolder, sizeMB)
  await using registry = await startDockerRegistry()
  await using home = await temporaryFolder()
  const to = `${registry.host}/bench/image:1`
  await trial(tool, 'push-docker-archive', from, to, [registry], { home })
  return await trial(tool, 'push-docker-archive', from, to, [registry], { home })
}

function pulling(id: string, title: string, work: Work): Workload {
  return {
    id,
    title,
    suits: suits(work),
    run: async (tool, { dataFolder, sizeMB }) => {
      await using registry = await startDockerRegistry()
      await fill(registry, await realLayout(dataFolder, sizeMB), 'bench/image')
      await using target = await temporaryFolder()
      const to = join(target.path, work === 'pull-layout' ? 'layout' : 'image.tar')
      const done = await trial(tool, work, `${registry.host}/bench/image:1`, to, [registry])
      return { ...done, storedMB: await diskUsageMB(target.path) }
    },
  }
}

async function copyBetween(tool: Tool, layout: Promise<string>, roundTripMs: number): Promise<Trial> {
  await using source = await startDockerRegistry()
  await using target = await startDockerRegistry()
  await fill(source, await layout, 'bench/image')
  if (roundTripMs === 0) {
    const [from, to] = [`${source.host}/bench/image:1`, `${target.host}/bench/image:1`]
    return await trial(tool, 'copy', from, to, [source, target])
  }
  await using farSource: FaultyProxy = await startFaultyProxy(source.host, { roundTripMs })
  await using farTarget: FaultyProxy = await startFaultyProxy(target.host, { roundTripMs })
  const [from, to] = [`${farSource.host}/bench/image:1`, `${farTarget.host}/bench/image:1`]
  return await trial(tool, 'copy', from, to, [source, target])
}

/** Runs a tool in an environment of its own, and counts what it asked and left. */
async function trial(
  tool: Tool,
  work: Work,
  from: string,
  to: string,
  registries: readonly DockerRegistry[],
  extra: { stdinFile?: string; home?: TemporaryFolder } = {},
): Promise<Trial> {
  const parameters = tool.parametersFor(work, from, to)
  if (parameters === undefined) throw new Error(`${tool.name} can't ${work}`)
  await using own = await temporaryFolder()
  const { stdinFile, home = own } = extra
  const before = await countRequests(registries)
  const measured = await measure({
    program: tool.program,
    parameters,
    env: { ...cleanEnvironment(home.path), TMPDIR: own.path },
    ...(stdinFile !== undefined && { stdinFile }),
  })
  const stored = await diskUsageMB(registries.at(-1)?.storage ?? own.path)
  return { ...measured, requests: (await countRequests(registries)) - before, storedMB: stored }
}

async function countRequests(registries: readonly DockerRegistry[]): Promise<number> {
  const counts = await Promise.all(registries.map(async registry => (await registry.requests()).length))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** Puts data into a registry, outside of what is measured. */
async function fill(registry: DockerRegistry, from: string, name: string): Promise<void> {
  await using home = await temporaryFolder()
  const start = new URL('../bin/run.js', import.meta.url).pathname
  const parameters = [start, 'push', from, `${registry.host}/${name}:1`, '--quiet']
  await measure({ program: process.execPath, parameters, env: cleanEnvironment(home.path) })
}
