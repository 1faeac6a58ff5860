import { createHash } from 'node:crypto'
import { MediaType } from '../../src/content/media-types.js'

/** What can be reached from some tags of a repository, as any client sees it. Two that are equal have lost nothing. */
export interface RegistrySnapshot {
  /** The digest behind each tag. */
  tags: Record<string, string>
  /** The digests of all manifests and indexes, referrers among them, sorted. */
  manifests: string[]
  /** The blobs that these name, each with its number of bytes, sorted. */
  blobs: string[]
  /** The digests of the referrers of each manifest that has some, sorted. */
  referrers: Record<string, string[]>
}

interface Entry {
  mediaType: string
  digest: string
  size: number
  urls?: string[]
}

interface Document {
  mediaType?: string
  config?: Entry
  layers?: Entry[]
  manifests?: Entry[]
}

const ACCEPTED = [
  MediaType.ociManifest,
  MediaType.ociIndex,
  MediaType.dockerManifest,
  MediaType.dockerManifestList,
].join(', ')

/**
 * Reads all that hangs on some tags: the manifests down to the blobs, and the referrers of every manifest in turn. None
 * of our own client is used, which is what is being tested.
 *
 * @throws Error when something that is named is not there, or has other bytes or another size than its descriptor says
 */
export async function snapshotOf(
  host: string,
  repository: string,
  tags: readonly string[],
): Promise<RegistrySnapshot> {
  const base = `http://${host}/v2/${repository}`
  const manifests = new Set<string>()
  const blobs = new Map<string, number>()
  const referrers: Record<string, string[]> = {}

  async function readManifest(name: string): Promise<string> {
    const found = await get(`${base}/manifests/${name}`)
    if (found === undefined) throw new Error(`${base} lacks the manifest ${name}`)
    const wanted = name.includes(':') ? name : found.announced
    const digest = digestLike(wanted, found.bytes)
    if (digest !== wanted) throw new Error(`${base} has ${digest} as ${wanted}`)
    if (manifests.has(digest)) return digest
    manifests.add(digest)
    const document = JSON.parse(`${found.bytes}`) as Document
    for (const entry of document.manifests ?? []) await readManifest(entry.digest)
    for (const entry of [document.config, ...(document.layers ?? [])]) {
      if (entry !== undefined && entry.urls === undefined) await readBlob(entry)
    }
    const listed = await readReferrers(digest)
    if (listed.length > 0) referrers[digest] = listed.map(entry => entry.digest).sort()
    for (const entry of listed) await readManifest(entry.digest)
    return digest
  }

  async function readBlob({ digest, size }: Entry): Promise<void> {
    if (blobs.has(digest)) return
    const found = await get(`${base}/blobs/${digest}`)
    if (found?.bytes.length !== size || digestLike(digest, found.bytes) !== digest)
      throw new Error(`${base} lacks the blob ${digest}`)
    blobs.set(digest, size)
  }

  /** By the API, or else by the tag that stands in for it (distribution-spec, Referrers Tag Schema). */
  async function readReferrers(digest: string): Promise<Entry[]> {
    const tag = digest.replace(':', '-').slice(0, 71)
    const found = (await get(`${base}/referrers/${digest}`)) ?? (await get(`${base}/manifests/${tag}`))
    return found === undefined ? [] : ((JSON.parse(`${found.bytes}`) as Document).manifests ?? [])
  }

  const found: Record<string, string> = {}
  for (const tag of tags) found[tag] = await readManifest(tag)
  return {
    tags: found,
    manifests: [...manifests].sort(),
    blobs: [...blobs].map(([digest, size]) => `${digest} ${size}`).sort(),
    referrers: Object.fromEntries(Object.entries(referrers).sort()),
  }
}

/** Undefined for what is not there. */
async function get(url: string): Promise<{ bytes: Buffer; announced: string } | undefined> {
  const response = await fetch(url, { headers: { accept: ACCEPTED } })
  const bytes = Buffer.from(await response.arrayBuffer())
  if (response.ok) return { bytes, announced: response.headers.get('docker-content-digest') ?? '' }
  if (response.status === 404) return undefined
  throw new Error(`${url} answered ${response.status}`)
}

/** The digest of some bytes, by the algorithm of another one. */
function digestLike(other: string, bytes: Buffer): string {
  const algorithm = other.startsWith('sha512:') ? 'sha512' : 'sha256'
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`
}
