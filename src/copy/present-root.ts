import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { childrenOf, isObject, parseJsonObject, parseManifest, rawManifest } from '../content/manifest.js'
import { isForeignLayerType, isIndexType } from '../content/media-types.js'
import { formatPlatform } from '../content/platform.js'
import type { Context, RawManifest } from '../content/store.js'
import { RegctlError } from '../errors.js'
import { CopyError } from './copy-error.js'
import { DerivedSource, type Root } from './derived-source.js'
import { MAXIMUM_DEPTH } from './manifest-walk.js'

/** What is done about the parts of an index that its file lacks. */
export interface PresenceOptions {
  /** Refuse instead of leaving them out. Default false. */
  strict?: boolean
}

/**
 * The root with what the source really has: a file saved by Docker's containerd image store names all platforms but may
 * hold just one (rule R185). What is missing is left out with a warning for each, which makes a new index with
 * another digest. A root that is whole comes back as it is.
 *
 * @throws CopyError `missing-blob` when something is missing and `strict` is set; what the source throws when nothing
 * of the index is there
 */
export async function presentRoot(
  { source, root }: Root,
  context: Context,
  options: PresenceOptions = {},
): Promise<Root> {
  const made: RawManifest[] = []
  // What was found out of a child, by its digest: an index may name it many times, and so may others.
  const found = new Map<Digest, Promise<RawManifest | undefined | 'absent'>>()
  let firstAbsence: unknown
  const raw = await source.getManifest(root, context)
  if (!isIndexType(raw.descriptor.mediaType)) return { source, root }
  const whole = await prune(raw, 0)
  if (whole === undefined) throw firstAbsence
  if (whole === raw) return { source, root }
  return { source: new DerivedSource(source, made), root: whole.descriptor.digest }

  async function prune(index: RawManifest, depth: number): Promise<RawManifest | undefined> {
    const what = `manifest ${index.descriptor.digest} of ${source.label}`
    const { manifests } = childList(index, what)
    if (depth > MAXIMUM_DEPTH || manifests.length === 0) return index
    const kept = new Map<Descriptor, RawManifest | undefined>()
    for (const child of new Set(manifests)) {
      const known = found.get(child.digest) ?? presentChild(child, depth + 1)
      found.set(child.digest, known)
      const present = await known
      if (present !== 'absent') kept.set(child, present)
    }
    if (kept.size === 0) return undefined
    const changed = kept.size < manifests.length || [...kept.values()].some(present => present !== undefined)
    if (!changed) return index
    const smaller = rebuildIndex(index, what, position => {
      const child = manifests[position]
      return child !== undefined && kept.has(child) ? (kept.get(child) ?? 'keep') : 'drop'
    })
    made.push(smaller)
    return smaller
  }

  /** The child if it was made smaller, undefined if it is whole, `absent` if it or something of it is not there. */
  async function presentChild(child: Descriptor, depth: number): Promise<RawManifest | undefined | 'absent'> {
    try {
      if (!isIndexType(child.mediaType)) {
        await readWhole(child)
        return undefined
      }
      const index = { ...(await source.getManifest(child.digest, context)), descriptor: child }
      const pruned = await prune(index, depth)
      return pruned === undefined ? 'absent' : pruned === index ? undefined : pruned
    } catch (error) {
      if (!isAbsence(error)) throw error
      firstAbsence ??= error
      const platform = child.platform === undefined ? '' : `${formatPlatform(child.platform)} `
      const message = `the index names ${platform}${child.digest}, of which not everything is in ${source.label}`
      if (options.strict === true) {
        throw new CopyError(message, { kind: 'corrupt', code: 'missing-blob', cause: error })
      }
      context.emit({
        type: 'warning',
        message: `${message}: it is left out, and the index gets another digest`,
      })
      return 'absent'
    }
  }

  async function readWhole(child: Descriptor): Promise<void> {
    const raw = await source.getManifest(child.digest, context)
    const manifest = parseManifest(raw.bytes, child.mediaType, `manifest ${child.digest} of ${source.label}`)
    for (const blob of childrenOf(manifest)) {
      if (isForeignLayerType(blob.mediaType)) continue
      const stream = await source.openBlob(blob, context)
      stream.destroy()
    }
  }
}

function childList(index: RawManifest, what: string): { manifests: readonly Descriptor[] } {
  const parsed = parseManifest(index.bytes, index.descriptor.mediaType, what)
  return { manifests: parsed.kind === 'index' ? parsed.manifests : [] }
}

function isAbsence(error: unknown): boolean {
  return error instanceof RegctlError && (error.kind === 'not-found' || error.code === 'missing-blob')
}

/**
 * An index with some of its entries dropped or replaced; everything else of its JSON stays.
 *
 * @param decide what to do with the entry at a position: keep it, drop it, or name this manifest in its place
 * @param annotations what is added to its annotations
 */
export function rebuildIndex(
  index: RawManifest,
  what: string,
  decide: (position: number) => 'keep' | 'drop' | RawManifest,
  annotations?: Readonly<Record<string, string>>,
): RawManifest {
  const document = parseJsonObject(index.bytes, what)
  const entries = Array.isArray(document.manifests) ? document.manifests : []
  document.manifests = entries.flatMap((entry, position) => {
    const decision = decide(position)
    if (decision === 'keep') return [entry]
    if (decision === 'drop' || !isObject(entry)) return []
    return [{ ...entry, digest: decision.descriptor.digest, size: decision.descriptor.size }]
  })
  if (annotations !== undefined) {
    const present = isObject(document.annotations) ? document.annotations : {}
    document.annotations = { ...present, ...annotations }
  }
  return rawManifest(index.descriptor.mediaType, new TextEncoder().encode(JSON.stringify(document)))
}
