import { MediaType } from '../../src/content/media-types.js'

/** What the tests look at in a manifest or index, as the registry gave it. */
export interface ManifestDocument {
  mediaType?: string
  config?: { mediaType: string; digest: string }
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

/** The diffIDs that an image's config lists. */
export async function fetchDiffIDs(
  host: string,
  repository: string,
  image: ManifestDocument,
): Promise<string[]> {
  const response = await fetch(`http://${host}/v2/${repository}/blobs/${image.config?.digest}`)
  const config = await readJson<{ rootfs: { diff_ids: string[] | null } }>(response)
  return config.rootfs.diff_ids ?? []
}

async function readJson<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`)
  return (await response.json()) as T
}
