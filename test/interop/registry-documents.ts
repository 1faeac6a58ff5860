import { MediaType } from '../../src/content/media-types.js'

/** What the tests look at in a manifest or index, as the registry gave it. */
export interface ManifestDocument {
  mediaType?: string
  config?: { mediaType: string; digest: string }
  layers?: readonly { mediaType: string; digest: string; urls?: readonly string[] }[]
  manifests?: readonly IndexEntry[]
}

/** One line of an index. */
export interface IndexEntry {
  mediaType: string
  digest: string
  artifactType?: string
  platform?: { os: string; architecture: string; variant?: string }
}

const ACCEPTED = [
  MediaType.ociManifest,
  MediaType.ociIndex,
  MediaType.dockerManifest,
  MediaType.dockerManifestList,
]

/** Reads a manifest without any code of ours, which is what is being tested. */
export async function fetchManifest(
  host: string,
  repository: string,
  tagOrDigest: string,
): Promise<ManifestDocument> {
  const response = await fetch(`http://${host}/v2/${repository}/manifests/${tagOrDigest}`, {
    headers: { accept: ACCEPTED.join(', ') },
  })
  return await readJson(response)
}

/**
 * The image that somebody with Linux on such a processor gets from a manifest or index, where none of its special
 * variants is asked for. Undefined when there is none.
 */
export async function fetchImageFor(
  host: string,
  repository: string,
  architecture: string,
  tagOrDigest = 'latest',
): Promise<ManifestDocument | undefined> {
  const document = await fetchManifest(host, repository, tagOrDigest)
  if (document.manifests === undefined) return document
  const entry = document.manifests.find(
    ({ platform }) =>
      platform?.os === 'linux' && platform.architecture === architecture && (platform.variant ?? '') === '',
  )
  return entry === undefined ? undefined : await fetchImageFor(host, repository, architecture, entry.digest)
}

/** An image in an index, or one that stands alone. */
export interface FoundImage {
  digest: string
  /** The image ID. */
  config: string
  /** As the config has it. */
  os: string
  /** Whether it has layers, all of them compressed. */
  isCompressed: boolean
  /** Whether a layer is compressed with zstd. */
  hasZstd: boolean
  /** Whether it has a layer that is to be had elsewhere. */
  isForeign: boolean
}

/** The images behind a digest: what has layers on a root file system. Attestations and other artifacts are left out. */
export async function fetchImages(host: string, repository: string, digest: string): Promise<FoundImage[]> {
  const { manifests, config, layers = [] } = await fetchManifest(host, repository, digest)
  if (manifests !== undefined) {
    const entries = manifests.filter(({ platform }) => platform?.os !== 'unknown')
    return (await Promise.all(entries.map(entry => fetchImages(host, repository, entry.digest)))).flat()
  }
  if (config?.mediaType !== MediaType.ociConfig && config?.mediaType !== MediaType.dockerConfig) return []
  const blob = (name: string) => fetch(`http://${host}/v2/${repository}/blobs/${name}`)
  const { rootfs, os = '' } = await readJson<{ rootfs?: unknown; os?: string }>(await blob(config.digest))
  if (rootfs === undefined) return []
  const isForeign = layers.some(({ urls }) => urls !== undefined)
  const magics: string[] = []
  for (const layer of isForeign ? [] : layers)
    magics.push(Buffer.from(await (await blob(layer.digest)).arrayBuffer()).toString('hex', 0, 4))
  const hasZstd = magics.includes('28b52ffd')
  const isCompressed = magics.length > 0 && magics.every(magic => /^(?:1f8b|28b52ffd)/.test(magic))
  return [{ digest, config: config.digest, os, isCompressed, hasZstd, isForeign }]
}

/** The diffIDs that an image's config lists. */
export async function fetchDiffIDs(host: string, repository: string, config: string): Promise<string[]> {
  const response = await fetch(`http://${host}/v2/${repository}/blobs/${config}`)
  const { rootfs } = await readJson<{ rootfs: { diff_ids: string[] | null } }>(response)
  return rootfs.diff_ids ?? []
}

async function readJson<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`)
  return (await response.json()) as T
}
