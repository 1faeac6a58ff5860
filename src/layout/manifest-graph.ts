import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { MANIFEST_LIMIT_BYTES, parseManifest } from '../content/manifest.js'
import { isManifestType } from '../content/media-types.js'
import { type Referrer, referrerOf } from '../content/referrer.js'
import type { Context, RawManifest } from '../content/store.js'
import { messageOf } from '../errors.js'
import { WeightedLimit } from '../limit.js'
import { checkSignal, LayoutError } from './layout-error.js'

/** The most manifests below the roots that are walked (rule R232). */
const MANIFEST_COUNT_LIMIT = 10_000
const READS_AT_ONCE = 16

/** What is remembered of a manifest that was read: enough to find its children and to list it as a referrer. */
interface Summary {
  children: readonly Descriptor[]
  /** Undefined when it has no subject. */
  referrer: Referrer | undefined
}

/**
 * The manifests that can be reached from some roots through indexes, and who refers to whom.
 *
 * Summaries are kept by digest. A digest always stands for the same bytes, so they stay true when the roots change;
 * whether the bytes are still there is for the caller to see. What is missing or broken is passed over, so that it does
 * not hide the rest: a sparse layout is legal (rule R185), and whoever asks for a broken manifest itself gets the error.
 */
export class ManifestGraph {
  readonly #read: (descriptor: Descriptor) => Promise<RawManifest | undefined>
  readonly #summaries = new Map<Digest, Promise<Summary | undefined>>()
  readonly #limit = new WeightedLimit({ count: READS_AT_ONCE })

  /** `read` gives the checked bytes of a manifest, or undefined when they are not there. */
  constructor(read: (descriptor: Descriptor) => Promise<RawManifest | undefined>) {
    this.#read = read
  }

  /** The descriptor by which `digest` is named, in the roots or in an index below them; nearest to the roots first. */
  async find(
    roots: readonly Descriptor[],
    digest: Digest,
    context: Context,
  ): Promise<Descriptor | undefined> {
    for await (const level of this.#levels(roots, context)) {
      const found = level.find(descriptor => descriptor.digest === digest)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** The digests of everything that can be reached, the roots included. */
  async reachable(roots: readonly Descriptor[], context: Context): Promise<Set<Digest>> {
    const digests = new Set<Digest>()
    for await (const level of this.#levels(roots, context)) {
      for (const { digest } of level) digests.add(digest)
    }
    return digests
  }

  /** The reachable manifests whose subject is `subject`, in the order of the roots. */
  async listReferrers(
    roots: readonly Descriptor[],
    subject: Digest,
    context: Context,
  ): Promise<Descriptor[]> {
    const referrers: Descriptor[] = []
    for await (const level of this.#levels(roots, context)) {
      for (const summary of await this.#summariesOf(level, context)) {
        if (summary?.referrer?.subject === subject) referrers.push(summary.referrer.descriptor)
      }
    }
    return referrers
  }

  /** The manifests that an index names; none for an image. */
  async childrenOf(descriptor: Descriptor, context: Context): Promise<readonly Descriptor[]> {
    return (await this.#summaryOf(descriptor, context))?.children ?? []
  }

  /** Forgets what was remembered of a manifest, since its bytes came or went. */
  forget(digest: Digest): void {
    this.#summaries.delete(digest)
  }

  /** The graph level by level from the roots on, each digest once: equal parts of a graph are walked once. */
  async *#levels(roots: readonly Descriptor[], context: Context): AsyncGenerator<Descriptor[]> {
    const seen = new Set<Digest>()
    const unseen = (descriptors: readonly Descriptor[]) =>
      descriptors.filter(({ digest }) => !seen.has(digest) && seen.add(digest))
    let level = unseen(roots)
    const limit = seen.size + MANIFEST_COUNT_LIMIT
    while (level.length > 0) {
      checkSignal(context)
      yield level
      const summaries = await this.#summariesOf(level, context)
      level = unseen(summaries.flatMap(summary => summary?.children ?? []))
      if (seen.size > limit) {
        throw new LayoutError(`the indexes name more than ${MANIFEST_COUNT_LIMIT} manifests`, {
          kind: 'corrupt',
          code: 'too-large',
        })
      }
    }
  }

  #summariesOf(descriptors: readonly Descriptor[], context: Context): Promise<(Summary | undefined)[]> {
    return Promise.all(descriptors.map(descriptor => this.#summaryOf(descriptor, context)))
  }

  async #summaryOf(descriptor: Descriptor, context: Context): Promise<Summary | undefined> {
    const { digest } = descriptor
    const known =
      this.#summaries.get(digest) ?? this.#limit.run(1, () => this.#summarise(descriptor, context))
    this.#summaries.set(digest, known)
    const summary = await known
    // What is missing now may be put later.
    if (summary === undefined && this.#summaries.get(digest) === known) this.#summaries.delete(digest)
    return summary
  }

  async #summarise(descriptor: Descriptor, context: Context): Promise<Summary | undefined> {
    const { mediaType, size } = descriptor
    if ((mediaType !== '' && !isManifestType(mediaType)) || size > MANIFEST_LIMIT_BYTES) return NOTHING
    try {
      const manifest = await this.#read(descriptor)
      return manifest === undefined ? undefined : summaryOf(manifest)
    } catch (error) {
      context.emit({ type: 'warning', message: `passed over: ${messageOf(error)}` })
      return NOTHING
    }
  }
}

/** What is known of a manifest that cannot be read. */
const NOTHING: Summary = { children: [], referrer: undefined }

function summaryOf(manifest: RawManifest): Summary {
  const { digest, mediaType } = manifest.descriptor
  const parsed = parseManifest(manifest.bytes, mediaType, `manifest ${digest}`)
  return { children: parsed.kind === 'index' ? parsed.manifests : [], referrer: referrerOf(manifest) }
}
