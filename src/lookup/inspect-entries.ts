import type { Descriptor, Platform } from '../content/descriptor.js'
import { type Digest, isDigest } from '../content/digest.js'
import { type Index, parseManifest } from '../content/manifest.js'
import { isImageManifestType, isIndexType } from '../content/media-types.js'
import { isAttestation } from '../content/platform.js'
import type { Context, Source } from '../content/store.js'
import { messageOf, RegctlError } from '../errors.js'
import { describesImage } from './inspect-image.js'

/** What an index names. */
export interface IndexEntry {
  digest: Digest
  mediaType: string
  /** Of the manifest, in bytes. */
  size: number
  /** Absent when the index doesn't say. */
  platform?: Platform
  kind: 'image' | 'index' | 'attestation' | 'artifact' | 'other'
  /** Only of an attestation, and when it says so: the image that it is about. */
  attestationOf?: Digest
  artifactType?: string
  annotations?: Readonly<Record<string, string>>
  /** Only of an index that could be read: what that one names. */
  platforms?: readonly IndexEntry[]
}

/** How deep indexes are followed, how many of them are read, and up to how many entries (rule R232). */
const MAXIMUM_DEPTH = 8
const MAXIMUM_INDEXES = 100
const MAXIMUM_ENTRIES = 10_000

/**
 * What an index names, with what the indexes within it name: only these are read. One that is not there, one that was
 * met before, and what is beyond the limits has no `platforms`.
 */
export async function readEntries(
  index: Index,
  source: Source,
  context: Context,
): Promise<readonly IndexEntry[]> {
  const met = new Set<Digest>()
  let count = 0
  return await entriesOf(index, 1)

  async function entriesOf(current: Index, depth: number): Promise<IndexEntry[]> {
    const entries: IndexEntry[] = []
    count += current.manifests.length
    for (const descriptor of current.manifests) {
      const nested = isIndexType(descriptor.mediaType) ? await readNested(descriptor, depth) : undefined
      const inner = nested === undefined ? undefined : await entriesOf(nested, depth + 1)
      entries.push({ ...describeEntry(descriptor), ...(inner !== undefined && { platforms: inner }) })
    }
    return entries
  }

  async function readNested({ digest }: Descriptor, depth: number): Promise<Index | undefined> {
    const isBeyond = depth >= MAXIMUM_DEPTH || met.size >= MAXIMUM_INDEXES || count >= MAXIMUM_ENTRIES
    if (met.has(digest) || isBeyond) return undefined
    met.add(digest)
    try {
      const raw = await source.getManifest(digest, context)
      const what = `manifest ${digest} of ${source.label}`
      const parsed = parseManifest(raw.bytes, raw.descriptor.mediaType, what)
      return parsed.kind === 'index' ? parsed : undefined
    } catch (error) {
      if (!isAbsence(error)) throw error
      context.emit({ type: 'warning', message: `an index is not shown: ${messageOf(error)}` })
      return undefined
    }
  }
}

/** Whether an error says that something is not there: an index may name what a file or a registry doesn't hold. */
export function isAbsence(error: unknown): boolean {
  return error instanceof RegctlError && (error.kind === 'not-found' || error.code === 'missing-blob')
}

/** The images among entries, those of nested indexes too. */
export function imagesAmong(entries: readonly IndexEntry[]): IndexEntry[] {
  const images = entries.flatMap(entry =>
    entry.kind === 'image' ? entry : imagesAmong(entry.platforms ?? []),
  )
  return [...new Map(images.map(image => [image.digest, image])).values()]
}

function describeEntry(descriptor: Descriptor): IndexEntry {
  const { digest, mediaType, size, platform, artifactType, annotations } = descriptor
  const about = annotations?.['vnd.docker.reference.digest'] ?? ''
  const kind = kindOf(descriptor)
  return {
    ...{ digest, mediaType, size, kind },
    ...(platform !== undefined && { platform }),
    ...(kind === 'attestation' && isDigest(about) && { attestationOf: about }),
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations !== undefined && { annotations }),
  }
}

function kindOf(descriptor: Descriptor): IndexEntry['kind'] {
  if (isAttestation(descriptor)) return 'attestation'
  if (isIndexType(descriptor.mediaType)) return 'index'
  if (!isImageManifestType(descriptor.mediaType) && descriptor.mediaType !== '') return 'other'
  // Some tools repeat the config's type there, of an image too.
  return describesImage(descriptor.artifactType ?? '') ? 'image' : 'artifact'
}
