import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { systemEnvironment } from './run.js'

/**
 * Why tests that need these programs can't run: the first that is not installed. Undefined when all are there.
 * The reason is printed too, so that nobody takes a run without them for a full one.
 *
 * @throws Error in continuous integration (`CI=true`), where everything has to be there
 * @example
 * describe.skipIf(missingTool('docker-registry'))('pushing to docker-registry', …)
 */
export function missingTool(...names: string[]): string | undefined {
  const missing = names.find(name => toolPath(name) === undefined)
  return missing === undefined ? undefined : cannotRun(`${missing} is not installed`)
}

/** As {@link missingTool}, for a Docker Engine, which wants to be root as well. */
export function missingDockerEngine(): string | undefined {
  if (process.getuid?.() !== 0) return cannotRun('dockerd must be started by root')
  return missingTool('dockerd', 'containerd', 'docker')
}

/** Says why some tests don't run, or fails where they must. */
export function cannotRun(reason: string): string {
  if (process.env.CI === 'true') throw new Error(`Cannot test: ${reason}`)
  process.stderr.write(`Tests left out: ${reason}\n`)
  return reason
}

/** Where an installed program is; undefined when it is not. */
export function toolPath(name: string): string | undefined {
  const folders = systemEnvironment().PATH?.split(':') ?? []
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

/** Whether there is a file which this user may run. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
