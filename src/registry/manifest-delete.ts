import { isDigest } from '../content/digest.js'
import type { Context } from '../content/store.js'
import { type RepositoryAccess, responseError, sendTo } from './access.js'
import { manifestLabel } from './manifests.js'
import { discard, isSuccess } from './send.js'

/**
 * Removes a manifest by digest, and with it every tag that points there (distribution-spec, Deleting Manifests; rule
 * R86), or one tag and nothing else (rule R87).
 *
 * @returns false when there was none
 * @throws RegistryError `unsupported` when the registry deletes no tags: the digest is never deleted instead
 */
export async function deleteManifest(
  repository: RepositoryAccess,
  tagOrDigest: string,
  context: Context,
): Promise<boolean> {
  const { request, response } = await sendTo(
    repository,
    {
      operation: `deletion of ${manifestLabel(repository, tagOrDigest)}`,
      method: 'DELETE',
      target: `manifests/${tagOrDigest}`,
      access: 'delete',
    },
    context,
  )
  discard(response)
  if (isSuccess(response.status)) return true
  // Gone at the second attempt means that the first one did it (rule R239).
  if (response.status === 404) return response.attempts > 1
  const isUnsupported = [400, 405, 501].includes(response.status)
  const hint = isDigest(tagOrDigest)
    ? 'Deleting must be enabled in the registry'
    : 'This registry deletes by digest only, which removes every tag of the image'
  throw responseError(request, response, { hint: isUnsupported ? hint : undefined })
}
