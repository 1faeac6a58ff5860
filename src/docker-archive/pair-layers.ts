import type { Digest } from '../content/digest.js'
import type { FileSet } from '../tar/file-set.js'
import { brokenArchive } from './docker-archive-error.js'
import type { ManifestJsonImage } from './manifest-json.js'

/** A layer of the archive: its file with the diffID that the config has for it. */
export interface ArchiveLayer {
  file: string
  diffID: Digest
  /** Of the file, in bytes. */
  size: number
}

/**
 * Finds the file of each diffID: both lists have the same order.
 *
 * @throws DockerArchiveError `bad-shape`, `layer-count`, `missing-layer`; what the file set throws
 */
export async function pairLayers(
  files: FileSet,
  { layers }: ManifestJsonImage,
  diffIDs: readonly Digest[],
): Promise<ArchiveLayer[]> {
  const { label } = files
  if (layers.length === 0 && diffIDs.length > 0) {
    throw brokenArchive('bad-shape', `${label} names no layers, but the config has ${diffIDs.length} diffIDs`)
  }
  if (layers.length !== diffIDs.length) {
    throw brokenArchive(
      'layer-count',
      `${label} has ${layers.length} layers, but the config has ${diffIDs.length} diffIDs`,
    )
  }
  const pairs: ArchiveLayer[] = []
  for (const [position, diffID] of diffIDs.entries()) {
    const file = layers[position] ?? ''
    const entry = await files.stat(file)
    if (entry === undefined) throw brokenArchive('missing-layer', `layer ${file} is not in ${label}`)
    pairs.push({ file, diffID, size: entry.size })
  }
  return pairs
}
