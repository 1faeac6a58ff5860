import { algorithmOf, type Digest, isDigest, parseDigest } from '../content/digest.js'
import { essenceOf } from '../content/media-types.js'
import type { Context, RawManifest } from '../content/store.js'
import { digestMismatch, verifyBytes } from '../content/verify.js'
import { digestHeaderOf, type RepositoryAccess, responseError, sendTo } from './access.js'
import { readErrorBody } from './error-body.js'
import { headManifest, manifestLabel } from './manifests.js'
import { RegistryError } from './registry-error.js'
import { discard, headerValues, isSuccess } from './send.js'

/**
 * Puts a manifest under each of the tags, or under its digest when there are none: exact bytes, one PUT each
 * (distribution-spec, Pushing Manifests; rules R22 to R27).
 *
 * @param ifMatch put it only where the tag still has this ETag, in registries that look at it
 * @throws ContentError before anything is sent when the bytes are not what their descriptor says; RegistryError
 *   `missing-part` when the registry lacks something that the manifest names
 */
export async function putManifest(
  repository: RepositoryAccess,
  manifest: RawManifest,
  tags: readonly string[],
  context: Context,
  ifMatch?: string,
): Promise<void> {
  verifyBytes(
    manifest.bytes,
    manifest.descriptor,
    `manifest ${manifest.descriptor.digest} for ${repository.label}`,
  )
  const { digest } = manifest.descriptor
  if (tags.length === 0) await putOne(repository, manifest, digest, context)
  // A manifest that is put under a tag is known by its sha256 there, so another digest has to be named.
  else if (algorithmOf(digest) !== 'sha256') await putUnderDigest(repository, manifest, tags, context)
  else for (const tag of tags) await putOne(repository, manifest, tag, context, ifMatch)
}

/** Puts a manifest under its digest with the tags as parameters; a registry tells which of them it took (rule R24). */
async function putUnderDigest(
  repository: RepositoryAccess,
  manifest: RawManifest,
  tags: readonly string[],
  context: Context,
): Promise<void> {
  const { digest } = manifest.descriptor
  const taken = await putWithTags(repository, manifest, tags, context)
  for (const tag of tags.filter(tag => !taken.includes(tag))) {
    await putOne(repository, manifest, tag, context)
    const message = `${repository.label} knows ${tag} by another digest than ${digest}: it tags by sha256 alone`
    context.emit({ type: 'warning', message })
  }
}

/** The parameters of so many tags may be more than a registry takes: then they go in parts (rule R24). */
async function putWithTags(
  repository: RepositoryAccess,
  manifest: RawManifest,
  tags: readonly string[],
  context: Context,
): Promise<string[]> {
  const query = tags.length === 0 ? '' : `?${tags.map(tag => `tag=${tag}`).join('&')}`
  try {
    return await putOne(repository, manifest, `${manifest.descriptor.digest}${query}`, context)
  } catch (error) {
    const isTooMuch = error instanceof RegistryError && TOO_LONG.has(error.status ?? 0)
    if (!isTooMuch || tags.length === 0) throw error
    if (tags.length === 1) return await putWithTags(repository, manifest, [], context)
    const middle = Math.ceil(tags.length / 2)
    const first = await putWithTags(repository, manifest, tags.slice(0, middle), context)
    return [...first, ...(await putWithTags(repository, manifest, tags.slice(middle), context))]
  }
}

/** The URI is too long, or the head of the request. */
const TOO_LONG = new Set([414, 431])

/** @returns the tags that the registry says it set, which only some say */
async function putOne(
  repository: RepositoryAccess,
  { descriptor, bytes }: RawManifest,
  target: string,
  context: Context,
  ifMatch?: string,
): Promise<string[]> {
  const [tagOrDigest = target] = target.split('?')
  const mediaType = essenceOf(descriptor.mediaType)
  const { request, response } = await sendTo(
    repository,
    {
      operation: `push of manifest ${manifestLabel(repository, tagOrDigest)} (${mediaType})`,
      method: 'PUT',
      target: `manifests/${target}`,
      access: 'push',
      headers: { 'content-type': mediaType, ...(ifMatch !== undefined && { 'if-match': ifMatch }) },
      body: { length: bytes.length, open: async () => bytes },
    },
    context,
  )
  discard(response)
  if (!isSuccess(response.status)) {
    if (await isThereAlready(repository, descriptor.digest, tagOrDigest, response.status, context)) return []
    const algorithm = algorithmOf(descriptor.digest)
    const isDigestRefused = response.status === 400 && isDigest(tagOrDigest) && algorithm !== 'sha256'
    const hint = isDigestRefused ? `This registry may not support ${algorithm}` : undefined
    const isPartMissing = readErrorBody(response.bytes).codes.some(code => PART_MISSING.has(code))
    throw responseError(request, response, { hint, ...(isPartMissing && { code: 'missing-part' }) })
  }
  const stored = digestHeaderOf(response)
  if (stored !== undefined && isDigest(stored) && algorithmOf(stored) === algorithmOf(descriptor.digest)) {
    if (stored !== descriptor.digest) {
      throw digestMismatch(
        `${request.operation}: the manifest as stored`,
        descriptor.digest,
        parseDigest(stored),
      )
    }
  }
  return headerValues(response, 'oci-tag').flatMap(value => value.split(',').map(tag => tag.trim()))
}

/** Something that the manifest names is not there, or can't be seen there yet (rule R25). */
const PART_MISSING = new Set(['MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN'])

/** Registries with immutable tags refuse even what is there already (rule R27). */
async function isThereAlready(
  repository: RepositoryAccess,
  digest: Digest,
  tagOrDigest: string,
  status: number,
  context: Context,
): Promise<boolean> {
  if (isDigest(tagOrDigest) || ![400, 403, 405, 409, 412].includes(status)) return false
  const { response } = await headManifest(repository, tagOrDigest, context, 'push')
  return response.status === 200 && digestHeaderOf(response) === digest
}
