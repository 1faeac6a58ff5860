import type { Platform } from '../../src/content/descriptor.js'
import { digestOf } from '../../src/content/digest.js'
import { MediaType } from '../../src/content/media-types.js'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import { createRegistryServer, type RegistryServerOptions } from '../../src/server/server.js'

/** The embedded registry on a loopback port, with what it was asked and a way to look into it without our client. */
export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Method and path of each request so far, without the query. */
  requests(): string[]
  /** The requests that would change something. */
  writes(): string[]
  /** What a repository has under a tag or digest; undefined when there is nothing. */
  manifest(repository: string, tagOrDigest: string): Promise<StoredManifest | undefined>
  blob(repository: string, digest: string): Promise<Buffer>
}

/** A manifest or index as the registry gives it. */
export interface StoredManifest {
  /** Of the bytes that came. */
  digest: string
  mediaType: string
  document: { config?: StoredEntry; layers?: StoredEntry[]; manifests?: StoredEntry[] }
}

/** A descriptor in a {@link StoredManifest}. */
export interface StoredEntry {
  mediaType: string
  digest: string
  size: number
  platform?: Platform
  annotations?: Record<string, string>
}

const ACCEPT = [
  MediaType.ociManifest,
  MediaType.ociIndex,
  MediaType.dockerManifest,
  MediaType.dockerManifestList,
].join(', ')

/** Starts an empty registry in memory. */
export async function startRegistry(options: Partial<RegistryServerOptions> = {}): Promise<TestRegistry> {
  const requests: string[] = []
  const server = createRegistryServer({
    repositories: new MemoryCollection(),
    log: line => requests.push(line.split(' ', 2).join(' ').replace(/\?.*/, '')),
    ...options,
  })
  const { port } = await server.listen('127.0.0.1', 0)
  const host = `127.0.0.1:${port}`
  return {
    host,
    requests: () => [...requests],
    writes: () => requests.filter(line => !/^(?:GET|HEAD) /.test(line)),
    async manifest(repository, tagOrDigest) {
      const response = await fetch(`http://${host}/v2/${repository}/manifests/${tagOrDigest}`, {
        headers: { accept: ACCEPT },
      })
      const bytes = Buffer.from(await response.arrayBuffer())
      if (!response.ok) return undefined
      const mediaType = response.headers.get('content-type') ?? ''
      return {
        digest: digestOf(bytes),
        mediaType,
        document: JSON.parse(`${bytes}`) as StoredManifest['document'],
      }
    },
    async blob(repository, digest) {
      const response = await fetch(`http://${host}/v2/${repository}/blobs/${digest}`)
      if (!response.ok) throw new Error(`blob ${digest}: ${response.status}`)
      return Buffer.from(await response.arrayBuffer())
    },
    [Symbol.asyncDispose]: () => server.close(),
  }
}
