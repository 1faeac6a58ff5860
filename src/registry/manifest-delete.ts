import { isDigest } from '../content/digest.js'
import type { Context } from '../content/store.js'
import { type RepositoryAccess, responseError, sendTo } from './access.js'
import { readErrorBody } from './error-body.js'
import { manifestLabel } from './manifests.js'
import { RegistryError } from './registry-error.js'
import { discard, isSuccess, type RegistryRequest, type RegistryResponse } from './send.js'

/** What registries answer that don't delete by tag, or don't delete at all (rules R86, R87). */
const UNSUPPORTED = new Set([400, 405, 501])

/**
 * Removes a manifest by digest, and with it every tag that points there (distribution-spec, Deleting Manifests; rule
 * R86), or one tag and nothing else (rule R87).
 *
 * @returns false when there was none
 * @throws RegistryError `deletes-no-tags` when the registry deletes by digest only: the digest is never deleted instead;
 * `deletes-nothing` when it refuses a digest
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
  if (UNSUPPORTED.has(response.status)) throw unsupported(request, response, isDigest(tagOrDigest))
  throw responseError(request, response)
}

function unsupported(
  request: RegistryRequest,
  response: RegistryResponse,
  isByDigest: boolean,
): RegistryError {
  const { codes, text } = readErrorBody(response.bytes)
  return new RegistryError(request.operation, {
    kind: 'failed',
    code: isByDigest ? 'deletes-nothing' : 'deletes-no-tags',
    method: request.method,
    url: response.url,
    status: response.status,
    codes,
    attempts: response.attempts,
    reason: isByDigest ? 'the registry does not allow it' : 'the registry deletes no tags',
    outcome: `answered ${response.status}${text === '' ? '' : ` (${text})`}`,
    hint: isByDigest
      ? 'Deleting may have to be enabled in the registry, or an index that stays names it'
      : 'This registry deletes by digest only, which removes every tag of the image',
  })
}
