import type { Descriptor, Platform } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { parseManifest } from '../content/manifest.js'
import { isIndexType, MediaType } from '../content/media-types.js'
import { isAttestation } from '../content/platform.js'
import type { Context, RawManifest } from '../content/store.js'
import { CopyError } from './copy-error.js'
import { DerivedSource, type Root } from './derived-source.js'
import { MAXIMUM_DEPTH } from './manifest-walk.js'
import { platformRoot } from './platform-root.js'
import { rebuildIndex } from './present-root.js'

/** The annotation of an index that was made here: the digest of the index that it is a part of. */
export const SOURCE_DIGEST_ANNOTATION = 'regctl.source.digest'

/** The images of some platforms. */
export interface PlatformSubset extends Root {
  /** The index that was made, and the one that it was made of. Undefined where the root is as it was. */
  made?: { digest: Digest; from: Digest }
}

/**
 * The root with the images of just these platforms, chosen as {@link platformRoot} chooses one, and BuildKit's
 * attestations of them. It is a new index with another digest, which names the index that it was made of in an
 * annotation (an OCI index, that is: Docker's manifest list has none). Where there is nothing to drop, and where the
 * root is a single image, it comes back as it is.
 *
 * @throws CopyError `no-such-platform` when there is no image for one of them; `too-deep`
 */
export async function platformSubset(
  { source, root }: Root,
  platforms: readonly Platform[],
  context: Context,
): Promise<PlatformSubset> {
  const raw = await source.getManifest(root, context)
  const chosen = new Set<string>()
  for (const platform of platforms) chosen.add((await platformRoot({ source, root }, platform, context)).root)
  if (!isIndexType(raw.descriptor.mediaType)) return { source, root }
  const made: RawManifest[] = []
  const smaller = await keepChosen(raw, 0)
  if (smaller === raw || smaller === undefined) return { source, root }
  const { digest } = smaller.descriptor
  return {
    source: new DerivedSource(source, made),
    root: digest,
    made: { digest, from: raw.descriptor.digest },
  }

  /** @returns undefined when nothing of the index was chosen */
  async function keepChosen(index: RawManifest, depth: number): Promise<RawManifest | undefined> {
    const what = `manifest ${index.descriptor.digest} of ${source.label}`
    const parsed = parseManifest(index.bytes, index.descriptor.mediaType, what)
    const entries = parsed.kind === 'index' ? parsed.manifests : []
    const decisions: ('keep' | 'drop' | RawManifest)[] = []
    for (const entry of entries) decisions.push(await decide(entry, depth))
    if (decisions.every(decision => decision === 'keep')) return index
    if (decisions.every(decision => decision === 'drop')) return undefined
    const note = depth === 0 && parsed.mediaType === MediaType.ociIndex
    const annotations = note ? { [SOURCE_DIGEST_ANNOTATION]: index.descriptor.digest } : undefined
    const rebuilt = rebuildIndex(index, what, position => decisions[position] ?? 'drop', annotations)
    made.push(rebuilt)
    return rebuilt
  }

  async function decide(entry: Descriptor, depth: number): Promise<'keep' | 'drop' | RawManifest> {
    if (chosen.has(entry.digest)) return 'keep'
    if (isAttestation(entry))
      return chosen.has(entry.annotations?.['vnd.docker.reference.digest'] ?? '') ? 'keep' : 'drop'
    if (!isIndexType(entry.mediaType)) return 'drop'
    if (depth >= MAXIMUM_DEPTH) throw tooDeep(source.label)
    const { bytes } = await source.getManifest(entry.digest, context)
    const nested = { bytes, descriptor: entry }
    const kept = await keepChosen(nested, depth + 1)
    return kept === undefined ? 'drop' : kept === nested ? 'keep' : kept
  }
}

function tooDeep(label: string): CopyError {
  return new CopyError(`${label} is nested deeper than ${MAXIMUM_DEPTH} indexes`, {
    kind: 'corrupt',
    code: 'too-deep',
  })
}
