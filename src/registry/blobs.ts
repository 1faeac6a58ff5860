import type { Digest } from '../content/digest.js'
import type { Context } from '../content/store.js'
import { type RepositoryAccess, responseError, sendTo } from './access.js'
import { requestBlob } from './blob-body.js'
import { contentLengthOf, discard, isSuccess } from './send.js'

const IDENTITY = { 'accept-encoding': 'identity' }

/** What a HEAD said about a blob. `unknown` when the registry doesn't answer HEAD (rule R31). */
export type BlobStatus = { state: 'present'; size: number | undefined } | { state: 'absent' | 'unknown' }

/** Asks for a blob by HEAD (distribution-spec, Checking if content exists in the registry). */
export async function headBlob(
  repository: RepositoryAccess,
  digest: Digest,
  access: 'pull' | 'push',
  context: Context,
): Promise<BlobStatus> {
  const { request, response } = await sendTo(
    repository,
    {
      operation: `check for blob ${digest} in ${repository.label}`,
      method: 'HEAD',
      target: `blobs/${digest}`,
      access,
      headers: IDENTITY,
    },
    context,
  )
  discard(response)
  if (response.status === 200) return { state: 'present', size: contentLengthOf(response) }
  if (response.status === 404) return { state: 'absent' }
  if (response.status >= 500 || response.status === 429) throw responseError(request, response)
  return { state: 'unknown' }
}

/** The size of a blob; undefined when it is not there. Asks by GET where HEAD tells too little. */
export async function statBlob(
  repository: RepositoryAccess,
  digest: Digest,
  context: Context,
): Promise<number | undefined> {
  const status = await headBlob(repository, digest, 'pull', context)
  if (status.state === 'absent') return undefined
  // Some caches answer HEAD with a length of 0 whatever it is.
  if (status.state === 'present' && status.size !== undefined && status.size > 0) return status.size
  const { request, response } = await requestBlob(repository, digest, 0, context)
  response.body.destroy()
  if (response.status === 404) return undefined
  const size = contentLengthOf(response)
  if (response.status !== 200 || size === undefined) throw responseError(request, response)
  return size
}

/** Removes a blob (distribution-spec, Deleting Blobs); false when there was none. */
export async function deleteBlob(
  repository: RepositoryAccess,
  digest: Digest,
  context: Context,
): Promise<boolean> {
  const { request, response } = await sendTo(
    repository,
    {
      operation: `deletion of blob ${digest} from ${repository.label}`,
      method: 'DELETE',
      target: `blobs/${digest}`,
      access: 'delete',
    },
    context,
  )
  discard(response)
  if (isSuccess(response.status)) return true
  if (response.status === 404) return response.attempts > 1
  throw responseError(request, response)
}
