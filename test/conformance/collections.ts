import { MemoryCollection } from '../../src/content/memory-collection.js'
import type { RepositoryCollection } from '../../src/content/store.js'
import { LayoutCollection } from '../../src/layout/layout-collection.js'
import { createRegistryServer, type RegistryServerOptions } from '../../src/server/server.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { RawClient } from './raw-client.js'

/** A kind of collection that the server is tested over. */
export interface CollectionKind {
  name: string
  open(): Promise<{ repositories: RepositoryCollection; dispose(): Promise<void> }>
}

const MEMORY: CollectionKind = {
  name: 'memory',
  open: async () => ({ repositories: new MemoryCollection(), dispose: async () => {} }),
}

const FOLDER: CollectionKind = {
  name: 'folder',
  open: async () => {
    const folder = await temporaryFolder()
    const repositories = await LayoutCollection.open(folder.path)
    const dispose = async () => {
      await repositories[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    }
    return { repositories, dispose }
  },
}

export const KINDS: CollectionKind[] = [MEMORY, FOLDER]

/** A server that listens on a free port of this machine, with a client for it. */
export interface RunningRegistry {
  client: RawClient
  repositories: RepositoryCollection
  stop(): Promise<void>
}

/** Starts a server over a fresh collection. */
export async function startRegistry(
  kind: CollectionKind = MEMORY,
  options: Omit<RegistryServerOptions, 'repositories'> = {},
): Promise<RunningRegistry> {
  const { repositories, dispose } = await kind.open()
  const server = createRegistryServer({ ...options, repositories })
  const { host, port } = await server.listen('127.0.0.1', 0)
  const scheme = options.tls === undefined ? 'http' : 'https'
  return {
    client: new RawClient(`${scheme}://${host}:${port}`),
    repositories,
    stop: async () => {
      await server.close()
      await dispose()
    },
  }
}
