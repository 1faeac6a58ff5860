import { MemoryCollection } from '../../src/content/memory-collection.js'
import { createRegistryServer } from '../../src/server/server.js'
import { Cleanup } from '../support/cleanup.js'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'

/** The registries that every push and pull is tested against. */
export const REGISTRY_KINDS = ['docker-registry', 'regctl serve'] as const

/** One of each kind, both empty and open to all. */
export interface BothRegistries extends AsyncDisposable {
  readonly dockerRegistry: DockerRegistry
  /** `127.0.0.1:PORT` */
  hostOf(kind: (typeof REGISTRY_KINDS)[number]): string
}

/**
 * Starts both.
 *
 * @throws Error when docker-registry isn't installed: ask `missingTool` before
 */
export async function startBothRegistries(): Promise<BothRegistries> {
  const stack = new Cleanup()
  try {
    const dockerRegistry = stack.use(await startDockerRegistry())
    const server = createRegistryServer({ repositories: new MemoryCollection() })
    stack.defer(() => server.close())
    const { port } = await server.listen('127.0.0.1', 0)
    const hosts = { 'docker-registry': dockerRegistry.host, 'regctl serve': `127.0.0.1:${port}` }
    return {
      dockerRegistry,
      hostOf: kind => hosts[kind],
      [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
    }
  } catch (error) {
    await stack[Symbol.asyncDispose]()
    throw error
  }
}
