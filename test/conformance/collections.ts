import bcrypt from 'bcryptjs'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import type { RepositoryCollection } from '../../src/content/store.js'
import { LayoutCollection } from '../../src/layout/layout-collection.js'
import { openSelfSignedTls } from '../../src/server/certificates/self-signed.js'
import { serverNames } from '../../src/server/certificates/server-names.js'
import { Htpasswd } from '../../src/server/htpasswd.js'
import { createRegistryServer, type RegistryServerOptions } from '../../src/server/server.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { AuthenticatedClient } from './authenticated-client.js'
import { RawClient } from './raw-client.js'

type ServerOptions = Omit<RegistryServerOptions, 'repositories'>

/** A kind of collection that the server is tested over, and of a way in to it. */
export interface CollectionKind {
  name: string
  open(): Promise<{ repositories: RepositoryCollection; dispose(): Promise<void> }>
  /** What only a client with a name and a password can get through. Default: everybody may come in. */
  locks?(): Promise<ServerOptions>
  /** Whether each request may do only what its token is for. Default: no. */
  hasTokens?: boolean
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

const USER = 'ann'
const PASSWORD = 'pass'
const htpasswd = Htpasswd.parse(`${USER}:${bcrypt.hashSync(PASSWORD, 4)}\n`, 'the test')

const PASSWORDS: CollectionKind = {
  ...MEMORY,
  name: 'memory, by password',
  locks: async () => ({ htpasswd }),
}

const TOKENS: CollectionKind = {
  ...MEMORY,
  name: 'memory, by token and HTTPS',
  hasTokens: true,
  locks: async () => {
    await using folder = await temporaryFolder()
    return { htpasswd, tokens: {}, tls: await openSelfSignedTls(folder.path, serverNames('127.0.0.1')) }
  },
}

export const KINDS: CollectionKind[] = [MEMORY, FOLDER, PASSWORDS, TOKENS]

/** Each kind with each digest algorithm; which one that is makes no difference to who may come in. */
export const KINDS_BY_ALGORITHM = KINDS.flatMap(kind =>
  (kind.locks === undefined ? (['sha256', 'sha512'] as const) : (['sha256'] as const)).map(algorithm => ({
    kind,
    algorithm,
    name: kind.name,
  })),
)

/** A server that listens on a free port of this machine, with a client for it. */
export interface RunningRegistry {
  client: RawClient
  repositories: RepositoryCollection
  stop(): Promise<void>
}

/** Starts a server over a fresh collection. */
export async function startRegistry(
  kind: CollectionKind = MEMORY,
  options: ServerOptions = {},
): Promise<RunningRegistry> {
  const { repositories, dispose } = await kind.open()
  const locks = await kind.locks?.()
  const allOptions = { ...locks, ...options, repositories }
  const server = createRegistryServer(allOptions)
  const { host, port } = await server.listen('127.0.0.1', 0)
  const origin = `${allOptions.tls === undefined ? 'http' : 'https'}://${host}:${port}`
  return {
    client: locks === undefined ? new RawClient(origin) : new AuthenticatedClient(origin, USER, PASSWORD),
    repositories,
    stop: async () => {
      await server.close()
      await dispose()
    },
  }
}
