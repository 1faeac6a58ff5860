import { readFileSync } from 'node:fs'
import { startDockerEngine } from '../test/support/docker-engine.js'
import type { DockerRegistry } from '../test/support/docker-registry.js'
import { ARCHIVE_TAG } from './data.js'
import { measure } from './measure.js'
import type { Tool } from './tools.js'
import { counted, type Trial } from './trial.js'

/**
 * Pushes an archive as a user of the Docker Engine does: loads it into an engine, which is new, and pushes it from
 * there, twice. The engine works for the `docker` command, so its CPU time and its memory are what counts.
 *
 * @param archive with an image named {@link ARCHIVE_TAG}
 * @returns the two pushes; the first one also has how long it took to load the archive
 */
export async function pushWithDocker(
  tool: Tool,
  archive: string,
  registry: DockerRegistry,
): Promise<{ first: Trial; again: Trial }> {
  await using engine = await startDockerEngine(storageDriver())
  const { env, pid: daemon } = engine
  const docker = (...parameters: string[]) => measure({ launch: tool.launch, parameters, env, daemon })
  const to = `${registry.host}/bench/image:1`
  const { seconds: loadSeconds } = await docker('load', '--quiet', '--input', archive)
  await docker('tag', ARCHIVE_TAG, to)
  const push = () => counted([registry], () => docker('push', '--quiet', to))
  return { first: { ...(await push()), loadSeconds }, again: await push() }
}

/** The one that people use, where the kernel has it. */
function storageDriver(): 'overlay2' | 'vfs' {
  return /\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8')) ? 'overlay2' : 'vfs'
}
