import { isObject } from '../content/manifest.js'
import type { Referrer } from '../content/referrer.js'
import type { Context } from '../content/store.js'
import { messageOf } from '../errors.js'
import type { RepositoryAccess } from './access.js'
import { deleteManifest } from './manifest-delete.js'
import { statManifest } from './manifests.js'
import { hasReferrersApi, referrersTag } from './referrers.js'
import { inTurn, putEntries, readEntries } from './referrers-fallback.js'

/**
 * Takes a manifest that was just deleted out of the list of its subject's referrers where the registry doesn't do that
 * itself (distribution-spec, Deleting Manifests; rule R84). A list that becomes empty is deleted. What can't be done is
 * a warning: the manifest is gone all the same.
 */
export async function forgetReferrer(
  repository: RepositoryAccess,
  referrer: Referrer,
  context: Context,
): Promise<void> {
  try {
    if (await hasReferrersApi(repository, referrer.subject, context)) return
    await inTurn(repository, referrer.subject, () => removeFromIndex(repository, referrer, context))
  } catch (error) {
    if (context.signal.aborted) throw error
    const message = `${repository.label}:${referrersTag(referrer.subject)} still lists ${referrer.descriptor.digest}: ${messageOf(error)}`
    context.emit({ type: 'warning', message })
  }
}

async function removeFromIndex(
  repository: RepositoryAccess,
  { subject, descriptor }: Referrer,
  context: Context,
): Promise<void> {
  const tag = referrersTag(subject)
  const entries = await readEntries(repository, tag, context)
  const others = entries.filter(entry => !isObject(entry) || entry.digest !== descriptor.digest)
  if (others.length === entries.length) return
  const index = others.length === 0 ? await statManifest(repository, tag, context) : undefined
  if (index === undefined) await putEntries(repository, tag, others, context)
  else await deleteManifest(repository, index.digest, context)
}
