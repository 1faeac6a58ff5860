import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { Context, Sink } from '../content/store.js'
import { WeightedLimit } from '../limit.js'
import { CopyError } from './copy-error.js'
import type { Plan } from './plan.js'

const CHECKS_AT_ONCE = 16

/**
 * Finds the manifests of a plan that a sink has already. Each is asked for by itself: the garbage collection of some
 * registries removes the images of an index that stays.
 *
 * A referrer counts as in place only where it is listed with its subject too, since a list that is kept up by clients
 * need not have it (rule R80).
 *
 * @param passOver what is not asked for, and is not in the answer
 */
export async function findInPlace(
  sink: Sink,
  plan: Plan,
  passOver: ReadonlySet<Digest>,
  context: Context,
): Promise<Set<Digest>> {
  const limit = new WeightedLimit({ count: CHECKS_AT_ONCE })
  const unlisted = findUnlisted(sink, plan, limit, context)
  unlisted.catch(() => {})
  const digests = [...plan.manifests.keys()].filter(digest => !passOver.has(digest))
  const found = await Promise.all(
    digests.map(digest => limit.run(1, () => sink.hasManifest(digest, context))),
  )
  const inPlace = new Set(digests.filter((_, position) => found[position]))
  for (const digest of await unlisted) inPlace.delete(digest)
  return inPlace
}

async function findUnlisted(
  sink: Sink,
  plan: Plan,
  limit: WeightedLimit,
  context: Context,
): Promise<Digest[]> {
  const bySubject = new Map<Digest, Digest[]>()
  for (const { manifest, subject } of plan.referrers.flat()) {
    if (subject === undefined) continue
    bySubject.set(subject, [...(bySubject.get(subject) ?? []), manifest.descriptor.digest])
  }
  const unlisted = [...bySubject].map(([subject, referrers]) =>
    limit.run(1, async () => {
      const listed = await sink.listReferrers?.(subject, context)
      const digests = new Set(listed?.map(({ digest }) => digest))
      return listed === undefined ? [] : referrers.filter(digest => !digests.has(digest))
    }),
  )
  return (await Promise.all(unlisted)).flat()
}

/** The blobs of a plan that must be there because a manifest that names them is. */
export function blobsInPlace(plan: Plan, inPlace: ReadonlySet<Digest>): Set<Digest> {
  const blobs = new Set<Digest>()
  for (const [digest, { parts }] of plan.manifests) {
    if (inPlace.has(digest)) for (const part of parts) blobs.add(part.digest)
  }
  return blobs
}

/**
 * Looks up what tags stand for.
 *
 * @returns the digest of each tag that is there. Nothing where it can't be told: putting the tag will show
 */
export async function findTags(
  sink: Sink,
  tags: readonly string[],
  context: Context,
): Promise<Map<string, Digest>> {
  const found = await Promise.all(
    tags.map(async tag => {
      try {
        return await sink.statManifest?.(tag, context)
      } catch (error) {
        if (context.signal.aborted) throw error
        return undefined
      }
    }),
  )
  return new Map(tags.flatMap((tag, position) => (found[position] ? [[tag, found[position].digest]] : [])))
}

/**
 * Makes sure that no tag stands for something else than a root.
 *
 * @throws CopyError `tag-exists`; whatever the sink throws
 */
export async function refuseOtherTags(
  sink: Sink,
  tags: readonly string[],
  root: Descriptor,
  context: Context,
): Promise<void> {
  for (const tag of tags) {
    const found = await sink.statManifest?.(tag, context)
    if (found === undefined || found.digest === root.digest) continue
    throw new CopyError(
      `${sink.label} has the tag ${tag} already: it is ${found.digest}, not ${root.digest}`,
      {
        kind: 'failed',
        code: 'tag-exists',
        hint: 'Choose another tag, or allow tags to be overwritten',
      },
    )
  }
}
