import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import type { RepositoryCollection } from '../../src/content/store.js'
import { createRegistryServer, type RegistryServerOptions } from '../../src/server/server.js'
import { RawClient } from './raw-client.js'

/** A kind of collection that the server is tested over. */
export interface CollectionKind {
  name: string
  open(): Promise<{ repositories: RepositoryCollection; dispose(): Promise<void> }>
}

export const KINDS: CollectionKind[] = [
  { name: 'memory', open: async () => ({ repositories: new MemoryCollection(), dispose: async () => {} }) },
]

const layout = '../../src/layout/layout-collection.js'
if (existsSync(new URL(layout.replace(/js$/, 'ts'), import.meta.url))) {
  const { LayoutCollection } = await import(layout)
  KINDS.push({
    name: 'folder',
    open: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'regctl-conformance-'))
      const repositories: RepositoryCollection = await LayoutCollection.open(folder)
      const dispose = async () => {
        await repositories[Symbol.asyncDispose]()
        await rm(folder, { recursive: true, force: true })
      }
      return { repositories, dispose }
    },
  })
}

/** A server that listens on a free port of this machine, with a client for it. */
export interface RunningRegistry {
  client: RawClient
  repositories: RepositoryCollection
  stop(): Promise<void>
}

/** Starts a server over a fresh collection. */
export async function startRegistry(
  kind: CollectionKind | undefined = KINDS[0],
  options: Omit<RegistryServerOptions, 'repositories'> = {},
): Promise<RunningRegistry> {
  if (kind === undefined) throw new Error('there is no kind of collection')
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
