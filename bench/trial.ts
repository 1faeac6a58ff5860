import { existsSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DockerRegistry } from '../test/support/docker-registry.js'
import { cleanEnvironment } from '../test/support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../test/support/temporary-folder.js'
import { diskUsageMB } from './disk.js'
import { type Measurement, measure } from './measure.js'
import { START_FILE, type Tool, type Work } from './tools.js'

/** What one trial gave. */
export interface Trial extends Measurement {
  /** What the registries were asked, where that is counted. */
  requests?: number
  /** Those of {@link Trial.requests} that belong to uploads. */
  uploadRequests?: number
  /** What lay in the registry, or in the target, afterwards, in MB. */
  storedMB?: number
  /** How long `docker load` took before, which {@link Measurement.seconds} doesn't have. */
  loadSeconds?: number
}

/** What a piece of work is done with. */
export interface TrialOptions {
  /** The last one is where an image is pushed to. */
  registries: readonly DockerRegistry[]
  /** A file that is piped into the tool. */
  stdinFile?: string
  /** Where the tool finds what it kept before; a new one if not given. */
  home?: TemporaryFolder
  /** Whether it matters what lies on the disk meanwhile. */
  watchesDisk?: boolean
}

/** Runs a tool in an environment of its own, and counts what it asked and left. */
export async function trial(
  tool: Tool,
  work: Work,
  from: string,
  to: string,
  options: TrialOptions,
): Promise<Trial> {
  const parameters = tool.parametersFor(work, from, to)
  if (parameters === undefined) throw new Error(`${tool.name} can't ${work}`)
  await using own = await temporaryFolder()
  const { registries, stdinFile, home = own, watchesDisk = false } = options
  await bringCode(CODE_FOLDER, codeFolderOf(home))
  const done = await counted(registries, () =>
    measure({
      launch: tool.launch,
      parameters,
      env: { ...cleanEnvironment(home.path), TMPDIR: own.path },
      ...(stdinFile !== undefined && { stdinFile }),
      ...(watchesDisk && { folders: home === own ? [own.path] : [own.path, home.path] }),
    }),
  )
  await bringCode(codeFolderOf(home), CODE_FOLDER)
  return done
}

/** What Node compiled of regctl, from one run to the next: everything else that it keeps is new in each trial. */
const CODE_FOLDER = join(tmpdir(), 'regctl-bench-code')

function codeFolderOf(home: TemporaryFolder): string {
  return join(home.path, '.cache/regctl/code')
}

async function bringCode(from: string, to: string): Promise<void> {
  // Peers keep none.
  if (existsSync(from)) await cp(from, to, { recursive: true })
}

/** Adds to what is measured what registries were asked meanwhile, and what the last one holds then. */
export async function counted(
  registries: readonly DockerRegistry[],
  work: () => Promise<Measurement>,
): Promise<Trial> {
  const before = await requestsOf(registries)
  const measured = await work()
  const after = await requestsOf(registries)
  const target = registries.at(-1)
  return {
    ...measured,
    requests: after.all - before.all,
    uploadRequests: after.uploads - before.uploads,
    ...(target !== undefined && { storedMB: await diskUsageMB(target.storage) }),
  }
}

async function requestsOf(registries: readonly DockerRegistry[]): Promise<{ all: number; uploads: number }> {
  const lists = await Promise.all(registries.map(registry => registry.requests()))
  const requests = lists.flat()
  const uploads = requests.filter(({ path }) => path.includes('/blobs/uploads/'))
  return { all: requests.length, uploads: uploads.length }
}

/** Puts data into a registry, outside of what is measured. */
export async function fill(registry: DockerRegistry, from: string, name: string): Promise<void> {
  await using home = await temporaryFolder()
  await measure({
    launch: [process.execPath, START_FILE],
    parameters: ['push', from, `${registry.host}/${name}:1`, '--quiet'],
    env: cleanEnvironment(home.path),
  })
}
