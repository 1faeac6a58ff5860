import { type DockerRegistry, startDockerRegistry } from '../test/support/docker-registry.js'
import { temporaryFolder } from '../test/support/temporary-folder.js'
import { realArchive } from './data.js'
import { pushWithDocker } from './docker.js'
import type { Tool } from './tools.js'
import { type Trial, trial } from './trial.js'
import { type BenchOptions, doing, type Workload } from './workload.js'

const WORK = 'push-docker-archive'

/**
 * Pushes of a docker-archive, in one workload: from a file, the same once more, and from a pipe. So a pipe is compared
 * with a file in the same minute, and nobody waits for a push only to measure the one after it.
 */
export function archivePushes({ dataFolder, sizeMB }: BenchOptions): Workload {
  const archive = () => realArchive(dataFolder, sizeMB)
  return {
    rows: [
      { id: 'push-archive', title: 'push a docker-archive of plain layers' },
      { id: 'push-again', title: 'the same again' },
      { id: 'push-pipe', title: 'push the docker-archive from a pipe' },
    ],
    suits: tool => tool.name === 'docker' || doing(WORK)(tool),
    run: async (tool, wanted) => {
      const trials: Record<string, Trial> = {}
      if (wanted.has('push-archive') || wanted.has('push-again')) {
        await using registry = await startDockerRegistry()
        const push = tool.name === 'docker' ? pushWithDocker : pushTwice
        const { first, again } = await push(tool, await archive(), registry)
        trials['push-archive'] = first
        trials['push-again'] = again
      }
      if (wanted.has('push-pipe') && tool.name === 'regctl') {
        await using registry = await startDockerRegistry()
        const options = { registries: [registry], stdinFile: await archive(), watchesDisk: true }
        trials['push-pipe'] = await trial(tool, WORK, '-', `${registry.host}/bench/image:1`, options)
      }
      return trials
    },
  }
}

/** The second push finds everything in place, and what the tool remembers. */
async function pushTwice(
  tool: Tool,
  archive: string,
  registry: DockerRegistry,
): Promise<{ first: Trial; again: Trial }> {
  await using home = await temporaryFolder()
  const push = () =>
    trial(tool, WORK, archive, `${registry.host}/bench/image:1`, { registries: [registry], home })
  return { first: await push(), again: await push() }
}
