import { isObject, parseJsonObject, rawManifest } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import type { Referrer } from '../content/referrer.js'
import type { Context } from '../content/store.js'
import type { RepositoryAccess } from './access.js'
import { putManifest } from './manifest-put.js'
import { getManifest } from './manifests.js'
import { hasReferrersApi, referrersTag } from './referrers.js'
import { RegistryError } from './registry-error.js'

/** Others may write the same tag at the same time, and then one of the two is lost (rule R82). */
const MAXIMUM_TRIES = 4

/** Updates under way, by repository and subject: in one process they are made one after another. */
const underWay = new WeakMap<RepositoryAccess, Map<string, Promise<void>>>()

/**
 * Makes a manifest that was just pushed known as a referrer of its subject where the registry doesn't do that itself: it
 * is added to the index under the referrers tag (distribution-spec, Pushing Manifests with Subject; rules R80 to R82).
 *
 * @throws RegistryError `not-an-index` when the tag holds something else, which is never overwritten
 */
export async function recordReferrer(
  repository: RepositoryAccess,
  referrer: Referrer,
  context: Context,
): Promise<void> {
  if (await hasReferrersApi(repository, referrer.subject, context)) return
  await inTurn(repository, referrer.subject, () => addToIndex(repository, referrer, context))
}

/** Runs an update of a subject's list after those that are under way. */
export async function inTurn(
  repository: RepositoryAccess,
  subject: string,
  work: () => Promise<void>,
): Promise<void> {
  const queue = underWay.get(repository) ?? new Map<string, Promise<void>>()
  underWay.set(repository, queue)
  const before = queue.get(subject) ?? Promise.resolve()
  const update = before.then(work)
  queue.set(
    subject,
    update.catch(() => {}),
  )
  await update
}

async function addToIndex(repository: RepositoryAccess, referrer: Referrer, context: Context): Promise<void> {
  const tag = referrersTag(referrer.subject)
  for (let attempt = 1; ; attempt++) {
    const { entries, etag } = await readList(repository, tag, context)
    if (entries.some(entry => isObject(entry) && entry.digest === referrer.descriptor.digest)) return
    if (attempt > MAXIMUM_TRIES) {
      const message = `${repository.label}:${tag} keeps losing ${referrer.descriptor.digest}: something else writes it too`
      context.emit({ type: 'warning', message })
      return
    }
    try {
      // Only at first: an ETag that never matches must not keep the referrer out for ever.
      const ifMatch = attempt === 1 ? etag : undefined
      await putEntries(repository, tag, [...entries, referrer.descriptor], context, ifMatch)
    } catch (error) {
      if (!(error instanceof RegistryError) || error.status !== 412) throw error
    }
  }
}

/** Puts an index of these entries under a referrers tag, where that still has the ETag if one is given. */
export async function putEntries(
  repository: RepositoryAccess,
  tag: string,
  manifests: readonly unknown[],
  context: Context,
  ifMatch?: string,
): Promise<void> {
  const document = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }
  const index = rawManifest(MediaType.ociIndex, Buffer.from(JSON.stringify(document)))
  await putManifest(repository, index, [tag], context, ifMatch)
}

/** The entries of the index as they stand there, unknown fields included. */
export async function readEntries(
  repository: RepositoryAccess,
  tag: string,
  context: Context,
): Promise<unknown[]> {
  return (await readList(repository, tag, context)).entries
}

async function readList(
  repository: RepositoryAccess,
  tag: string,
  context: Context,
): Promise<{ entries: unknown[]; etag?: string | undefined }> {
  try {
    const { descriptor, bytes, etag } = await getManifest(repository, tag, context)
    if (descriptor.mediaType !== MediaType.ociIndex) {
      const { base } = await repository.client.endpointOf(repository.registry, context)
      throw new RegistryError(`update of the list of referrers ${repository.label}:${tag}`, {
        kind: 'failed',
        code: 'not-an-index',
        method: 'GET',
        url: new URL(`/v2/${repository.name}/manifests/${tag}`, base),
        outcome: 'answered with something else than an index, which is left as it is',
      })
    }
    const { manifests } = parseJsonObject(bytes, `the list of referrers ${repository.label}:${tag}`)
    return { entries: Array.isArray(manifests) ? manifests : [], etag }
  } catch (error) {
    if (error instanceof RegistryError && error.kind === 'not-found') return { entries: [] }
    throw error
  }
}
