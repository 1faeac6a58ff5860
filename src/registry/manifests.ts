import { gunzipSync } from 'node:zlib'
import { ContentError } from '../content/content-error.js'
import type { Descriptor } from '../content/descriptor.js'
import { algorithmOf, type Digest, digestOf, isDigest } from '../content/digest.js'
import { MANIFEST_LIMIT_BYTES, parseManifest } from '../content/manifest.js'
import { essenceOf, isManifestType, MANIFEST_ACCEPT } from '../content/media-types.js'
import type { Context, RawManifest } from '../content/store.js'
import { digestMismatch } from '../content/verify.js'
import { digestHeaderOf, type RepositoryAccess, refuseWebPage, responseError, sendTo } from './access.js'
import { isRetryableStatus } from './retry.js'
import { contentLengthOf, discard, headerOf, type RegistryResponse } from './send.js'

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

/** A body that is pinned by its digest says itself what it is; otherwise the header must agree (rules R20, R170, R229). */
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
  const { request, response } = await headManifest(repository, tagOrDigest, context, access)
  // It was asked often enough: a GET would hear the same.
  if (isRetryableStatus(response.status)) throw responseError(request, response)
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

/** Asks for a manifest's headers, whatever the answer is. */
export async function headManifest(
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
