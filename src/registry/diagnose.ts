import { digestOf } from '../content/digest.js'
import { essenceOf, MANIFEST_ACCEPT, MediaType } from '../content/media-types.js'
import type { Context } from '../content/store.js'
import {
  type RegistryAccess,
  type RepositoryAccess,
  responseError,
  sendTo,
  sendToRegistry,
} from './access.js'
import { type Challenge, chooseChallenge, parseChallenges } from './challenge.js'
import { clockAhead } from './clock-hint.js'
import { readErrorBody, sanitize } from './error-body.js'
import { discard, headerOf, headerValues, type RegistryResponse, type Send } from './send.js'
import { explainTlsAnswer, type TlsFailure } from './tls-error.js'
import { cancelUpload, startUpload } from './upload-session.js'

const PING_LIMIT_BYTES = 64 * 1024
const LIST_LIMIT_BYTES = 4 * 1024 * 1024
/** Digest of something that no registry has: of nothing at all but this name. */
const NOWHERE = digestOf(Buffer.from('regctl doctor'))

/** A registry with a sender that answers no challenge. */
export interface PlainAccess extends RegistryAccess {
  readonly sendPlainly: Send
}

/** What a registry says when it is asked whether it is one. All text is the registry's. */
export interface Ping {
  readonly status: number
  /** Docker-Distribution-API-Version: `registry/2.0`. Undefined where it says nothing of the kind. */
  readonly version: string | undefined
  /** It answered with a page for people. */
  readonly isWebPage: boolean
  /** How it wants to be convinced; undefined when it asks for nothing, or for nothing that is known. */
  readonly challenge: Challenge | undefined
  /** What is wrong with TLS by the words of its answer; mostly undefined. */
  readonly refusal: TlsFailure | undefined
  /** By how much its clock is ahead of ours, in milliseconds; undefined when it doesn't tell the time. */
  readonly aheadMs: number | undefined
}

/**
 * Asks for `/v2/` without credentials (distribution-spec, Determining Support).
 *
 * @throws RegistryError when no answer comes
 */
export async function pingRegistry(registry: PlainAccess, context: Context, now: number): Promise<Ping> {
  const endpoint = await registry.client.endpointOf(registry.registry, context)
  const response = await registry.sendPlainly({
    operation: `check of ${registry.label}`,
    method: 'GET',
    url: new URL('/v2/', endpoint.base),
    headers: {},
    endpoint,
    scopes: [],
    context,
    attempts: 1,
    collectLimitBytes: PING_LIMIT_BYTES,
  })
  const version = headerOf(response, 'docker-distribution-api-version')
  return {
    status: response.status,
    version: version === undefined ? undefined : sanitize(version),
    isWebPage: essenceOf(headerOf(response, 'content-type') ?? '') === 'text/html',
    challenge: chooseChallenge(parseChallenges(headerValues(response, 'www-authenticate'))),
    refusal: explainTlsAnswer(response.status, readErrorBody(response.bytes).text, registry.registry),
    aheadMs: clockAhead(response, now),
  }
}

/**
 * Asks for `/v2/` with credentials.
 *
 * @throws RegistryError `denied` when they are refused or missing
 */
export async function checkCredential(registry: RegistryAccess, context: Context): Promise<void> {
  const { request, response } = await sendToRegistry(
    registry,
    {
      operation: `login to ${registry.label}`,
      method: 'GET',
      target: '',
      scopes: [],
      attempts: 1,
      collectLimitBytes: PING_LIMIT_BYTES,
    },
    context,
  )
  if (response.status !== 200) throw responseError(request, response)
}

/** What came of looking for something to pull. */
export interface PullCheck {
  /** `absent`: neither the manifest nor, where none was named, the repository is there. */
  readonly state: 'found' | 'absent'
  readonly rateLimit: RateLimit | undefined
}

/** How many pulls are left, as Docker Hub tells (rule R196). */
export interface RateLimit {
  readonly remaining: number
  readonly limit: number
  readonly windowSeconds: number | undefined
}

/**
 * Whether a repository may be pulled from: asks for a manifest's head, which costs no pull, and for its list of tags when
 * no manifest was named and `latest` is none.
 *
 * @throws RegistryError `denied`
 */
export async function checkPull(
  repository: RepositoryAccess,
  tagOrDigest: string | undefined,
  context: Context,
): Promise<PullCheck> {
  const operation = `check for a pull from ${repository.label}`
  const { request, response } = await sendTo(
    repository,
    {
      operation,
      method: 'HEAD',
      target: `manifests/${tagOrDigest ?? 'latest'}`,
      access: 'pull',
      headers: { accept: MANIFEST_ACCEPT },
      attempts: 1,
    },
    context,
  )
  discard(response)
  const rateLimit = rateLimitOf(response)
  if (response.status === 200) return { state: 'found', rateLimit }
  if (response.status !== 404) throw responseError(request, response)
  if (tagOrDigest !== undefined) return { state: 'absent', rateLimit }
  const list = await sendTo(
    repository,
    {
      operation,
      method: 'GET',
      target: 'tags/list?n=1',
      access: 'pull',
      attempts: 1,
      collectLimitBytes: LIST_LIMIT_BYTES,
    },
    context,
  )
  if (list.response.status === 200) return { state: 'found', rateLimit }
  if (list.response.status === 404) return { state: 'absent', rateLimit }
  throw responseError(list.request, list.response)
}

function rateLimitOf(response: RegistryResponse): RateLimit | undefined {
  const read = (name: string) => /^(\d{1,9})(?:;w=(\d{1,9}))?$/.exec(headerOf(response, name) ?? '')
  const limit = read('ratelimit-limit')
  const remaining = read('ratelimit-remaining')
  if (limit === null || remaining === null) return undefined
  const window = limit[2] ?? remaining[2]
  return {
    remaining: Number(remaining[1]),
    limit: Number(limit[1]),
    windowSeconds: window === undefined ? undefined : Number(window),
  }
}

/**
 * Whether a repository may be pushed to: opens an upload, and cancels it at once (rule R59).
 *
 * @throws RegistryError `denied`, or what the registry has against it
 */
export async function checkPush(repository: RepositoryAccess, context: Context): Promise<void> {
  const upload = await startUpload(repository, NOWHERE, `check for a push to ${repository.label}`, context)
  await cancelUpload(repository, upload)
}

/** Whether a registry keeps lists of referrers by itself (distribution-spec, Listing Referrers). */
export async function checkReferrers(repository: RepositoryAccess, context: Context): Promise<boolean> {
  const { response } = await sendTo(
    repository,
    {
      operation: `check for lists of referrers in ${repository.label}`,
      method: 'GET',
      target: `referrers/${NOWHERE}`,
      access: 'pull',
      headers: { accept: MediaType.ociIndex },
      attempts: 1,
      collectLimitBytes: LIST_LIMIT_BYTES,
    },
    context,
  )
  return response.status === 200 && essenceOf(headerOf(response, 'content-type') ?? '') === MediaType.ociIndex
}
