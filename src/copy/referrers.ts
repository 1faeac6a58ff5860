import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { digestTags } from '../content/digest-tags.js'
import { referrerOf } from '../content/referrer.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { verifyBytes } from '../content/verify.js'
import { RegctlError } from '../errors.js'
import { WeightedLimit } from '../limit.js'
import { CopyError } from './copy-error.js'
import { MAXIMUM_DEPTH, type ManifestWalk } from './manifest-walk.js'

/** Most manifests have no referrers, and it takes up to five requests to be told so. */
const SUBJECTS_AT_ONCE = 8

/** A manifest that says something of others, or that such a one names. */
export interface PlannedReferrer {
  manifest: RawManifest
  /** The tags of cosign's by which it is found (rule R193); none for one that is found by its subject. */
  tags: readonly string[]
  /** What it refers to; undefined for one that is found by its tags, or that an index of referrers names. */
  subject: Digest | undefined
}

/** A referrer as it was found. */
export interface Found {
  raw: RawManifest
  /** The tag by which it was found; undefined for one that was listed. */
  tag?: string
}

/**
 * Finds what refers to the manifests of a walk (distribution-spec, Listing Referrers), what bears cosign's tags for
 * them, and what refers to these in turn, until there is nothing new (rule R85). All of it is read in the walk.
 *
 * @returns levels in which they can be put in place one after another
 * @throws CopyError `too-deep`; whatever the walk and the source throw
 */
export async function followReferrers(
  source: Source,
  walk: ManifestWalk,
  context: Context,
): Promise<PlannedReferrer[][]> {
  const limit = new WeightedLimit({ count: SUBJECTS_AT_ONCE })
  const asked = new Set<Digest>()
  const levels: PlannedReferrer[][] = []
  for (let depth = 0; ; depth++) {
    const subjects = [...walk.manifests.keys()].filter(digest => !asked.has(digest))
    if (subjects.length === 0) return levels
    if (depth > MAXIMUM_DEPTH) throw tooDeep(source)
    for (const subject of subjects) asked.add(subject)
    const found = await Promise.all(
      subjects.map(subject => limit.run(1, () => findReferrers(source, subject, context))),
    )
    for (const [position, referrers] of found.entries()) {
      for (const referrer of referrers) levels.push(...(await place(referrer, subjects[position])))
    }
  }

  async function place({ raw, tag }: Found, subject: Digest | undefined): Promise<PlannedReferrer[][]> {
    const isKnown = walk.manifests.has(raw.descriptor.digest)
    if (isKnown && tag === undefined) return []
    if (!isKnown) walk.checkCount()
    const read = isKnown ? [[raw]] : await walk.read(raw)
    return read.map(level =>
      level.map(manifest => {
        const isItself = manifest.descriptor.digest === raw.descriptor.digest
        return {
          manifest,
          tags: isItself && tag !== undefined ? [tag] : [],
          subject: isItself && tag === undefined ? subject : undefined,
        }
      }),
    )
  }
}

/**
 * What is said of one manifest, by its subject or by cosign's tags. A list may name what is not there any more: that is
 * a warning, and not a reason to copy nothing.
 */
export async function findReferrers(source: Source, subject: Digest, context: Context): Promise<Found[]> {
  const [listed, tagged] = await Promise.all([
    listReferrers(source, subject, context),
    Promise.all(
      digestTags(subject).map(async tag => {
        const raw = await ifFound(source.getManifest(tag, context))
        return raw === undefined ? [] : [{ raw, tag }]
      }),
    ),
  ])
  return [...listed, ...tagged.flat()]
}

async function listReferrers(source: Source, subject: Digest, context: Context): Promise<Found[]> {
  const warn = (message: string) => context.emit({ type: 'warning', message })
  const referrers: Found[] = []
  for (const descriptor of await source.listReferrers(subject, context)) {
    const raw = await readReferrer(source, descriptor, context)
    if (raw === undefined) {
      warn(`${source.label} lists ${descriptor.digest} as a referrer of ${subject} but does not have it`)
      continue
    }
    if (referrerOf(raw)?.subject !== subject) {
      warn(
        `${source.label} lists ${descriptor.digest} as a referrer of ${subject}, which it does not say itself: it is copied, but will not be listed`,
      )
    }
    referrers.push({ raw })
  }
  return referrers
}

async function readReferrer(
  source: Source,
  descriptor: Descriptor,
  context: Context,
): Promise<RawManifest | undefined> {
  const raw = await ifFound(source.getManifest(descriptor.digest, context))
  if (raw !== undefined)
    verifyBytes(raw.bytes, descriptor, `manifest ${descriptor.digest} of ${source.label}`)
  return raw
}

async function ifFound<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking
  } catch (error) {
    if (error instanceof RegctlError && error.kind === 'not-found') return undefined
    throw error
  }
}

function tooDeep(source: Source): CopyError {
  return new CopyError(
    `${source.label} has referrers of referrers deeper than ${MAXIMUM_DEPTH}, which is not copied`,
    { kind: 'corrupt', code: 'too-deep' },
  )
}
