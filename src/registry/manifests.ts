import { gunzipSync } from 'node:zlib'
import { ContentError } from '../content/content-error.js'
import type { Descriptor } from '../content/descriptor.js'
import { algorithmOf, type Digest, digestOf, isDigest, parseDigest } from '../content/digest.js'
import { MANIFEST_LIMIT_BYTES, parseManifest } from '../content/manifest.js'
import { essenceOf, isManifestType, MANIFEST_ACCEPT } from '../content/media-types.js'
import type { Context, RawManifest } from '../content/store.js'
import { digestMismatch, verifyBytes } from '../content/verify.js'
import { digestHeaderOf, type RepositoryAccess, refuseWebPage, responseError, sendTo } from './access.js'
import { readErrorBody } from './error-body.js'
import { contentLengthOf, discard, headerOf, headerValues, isSuccess, type RegistryResponse } from './send.js'

const ACCEPT = { accept: MANIFEST_ACCEPT, 'accept-encoding': 'identity' }

/** `host/repo:tag` or `host/repo@sha256:…`, for messages. */
export function manifestLabel(repository: RepositoryAccess, tagOrDigest: string): string {
  return `${repository.label}${isDigest(tagOrDigest) ? '@' : ':'}${tagOrDigest}`
}

/** A manifest as a registry gave it. */
export interface StoredManifest extends RawManifest {
  /** Which version of a tag it is, as the registry calls it. Many call it nothing (rule R29). */
  etag?: string
}

/**
 * Gets a manifest (distribution-spec, Pulling manifests; rules R14, R18 to R20).
 *
 * @throws RegistryError `not-found` or `denied`; ContentError when digest, size or media type are not what they must be
 */
export async function getManifest(
  repository: RepositoryAccess,
  tagOrDigest: string,
  context: Context,
  access: 'pull' | 'push' = 'pull',
): Promise<StoredManifest> {
  const what = `manifest ${manifestLabel(repository, tagOrDigest)}`
  const { request, response } = await sendTo(
    repository,
    {
      operation: `pull of ${what}`,
      method: 'GET',
      target: `manifests/${tagOrDigest}`,
      access,
      headers: ACCEPT,
      collectLimitBytes: MANIFEST_LIMIT_BYTES,
    },
    context,
  )
  if (response.status !== 200) throw responseError(request, response, { missing: 'the manifest was' })
  refuseWebPage(request, response)
  const wanted = isDigest(tagOrDigest) ? tagOrDigest : undefined
  const { bytes, digest } = checkDigest(response, wanted, what)
  const announced = essenceOf(headerOf(response, 'content-type') ?? '')
  const own = mediaTypeOf(bytes, announced, wanted !== undefined, what)
  const etag = headerOf(response, 'etag')
  const manifest = { descriptor: { mediaType: own, digest, size: bytes.length }, bytes }
  return etag === undefined ? manifest : { ...manifest, etag }
}

/** A body that is pinned by its digest says itself what it is; otherwise the header must agree (rules R20, R229). */
function mediaTypeOf(bytes: Uint8Array, announced: string, isPinned: boolean, what: string): string {
  const known = isManifestType(announced) ? announced : undefined
  const { mediaType } = parseManifest(bytes, isPinned ? undefined : (known ?? announced), what)
  if (!isPinned && known !== undefined && mediaType !== known) {
    throw new ContentError(`${what} is announced as ${known} but says of itself that it is ${mediaType}`, {
      kind: 'corrupt',
      code: 'media-type-mismatch',
    })
  }
  // Pinned or not, a body without a type of its own has the one that it is announced with.
  return isPinned && known !== undefined ? parseManifest(bytes, known, what).mediaType : mediaType
}

/** Compares the bytes with the digest asked for and with the registry's header (rules R13, R14, R205). */
function checkDigest(
  response: RegistryResponse,
  wanted: Digest | undefined,
  what: string,
): { bytes: Buffer; digest: Digest } {
  const header = digestHeaderOf(response)
  const named = header !== undefined && isDigest(header) ? header : undefined
  if (
    wanted !== undefined &&
    named !== undefined &&
    named !== wanted &&
    algorithmOf(named) === algorithmOf(wanted)
  ) {
    throw digestMismatch(`${what}, by the registry's header,`, wanted, named)
  }
  const expected = wanted ?? named
  const algorithm = expected === undefined ? 'sha256' : algorithmOf(expected)
  for (const bytes of decodings(response)) {
    const digest = digestOf(bytes, algorithm)
    if (expected === undefined || digest === expected) return { bytes, digest }
  }
  throw digestMismatch(what, expected ?? digestOf(response.bytes), digestOf(response.bytes, algorithm))
}

/** The bytes as they came, and decoded where something on the way compressed them (rule R13). */
function* decodings(response: RegistryResponse): Generator<Buffer> {
  yield response.bytes
  const encoding = headerOf(response, 'content-encoding')?.toLowerCase()
  if (encoding !== 'gzip' && encoding !== 'x-gzip') return
  try {
    yield gunzipSync(response.bytes, { maxOutputLength: MANIFEST_LIMIT_BYTES })
  } catch {
    // Labelled as gzip and is none: the mismatch is told.
  }
}

/**
 * Asks for a manifest's descriptor by HEAD, and by GET where the answer to HEAD is missing something or not to be
 * believed (rule R21).
 *
 * @param access what the token is for that is asked for; `push` where something will be written too
 * @returns undefined when there is no such manifest
 */
export async function statManifest(
  repository: RepositoryAccess,
  tagOrDigest: string,
  context: Context,
  access: 'pull' | 'push' = 'pull',
): Promise<Descriptor | undefined> {
  const { response } = await headManifest(repository, tagOrDigest, context, access)
  const digest = digestHeaderOf(response) ?? tagOrDigest
  const mediaType = essenceOf(headerOf(response, 'content-type') ?? '')
  const size = contentLengthOf(response)
  const isWhole = isDigest(digest) && isManifestType(mediaType) && size !== undefined && size > 0
  const agrees = !isDigest(tagOrDigest) || digest === tagOrDigest
  if (response.status === 200 && isWhole && agrees) return { mediaType, digest, size }
  try {
    return (await getManifest(repository, tagOrDigest, context, access)).descriptor
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** Whether a manifest with this digest is there. False when that can't be told by one HEAD. */
export async function hasManifest(
  repository: RepositoryAccess,
  digest: Digest,
  context: Context,
): Promise<boolean> {
  const { response } = await headManifest(repository, digest, context, 'push')
  const named = digestHeaderOf(response)
  return response.status === 200 && (named === undefined || named === digest)
}

async function headManifest(
  repository: RepositoryAccess,
  tagOrDigest: string,
  context: Context,
  access: 'pull' | 'push',
) {
  const sent = await sendTo(
    repository,
    {
      operation: `check for manifest ${manifestLabel(repository, tagOrDigest)}`,
      method: 'HEAD',
      target: `manifests/${tagOrDigest}`,
      access,
      headers: ACCEPT,
    },
    context,
  )
  discard(sent.response)
  return sent
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && (error as { kind?: unknown }).kind === 'not-found'
}

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
  const query = tags.map(tag => `tag=${tag}`).join('&')
  const taken = await putOne(repository, manifest, `${digest}?${query}`, context)
  for (const tag of tags.filter(tag => !taken.includes(tag))) {
    await putOne(repository, manifest, tag, context)
    const message = `${repository.label} knows ${tag} by another digest than ${digest}: it tags by sha256 alone`
    context.emit({ type: 'warning', message })
  }
}

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
