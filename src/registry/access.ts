import { essenceOf } from '../content/media-types.js'
import type { Context } from '../content/store.js'
import { describeStatus, readErrorBody, sanitize } from './error-body.js'
import type { OpenUploads } from './open-uploads.js'
import { explainRateLimit } from './rate-limit.js'
import { RegistryError, waysToLogIn } from './registry-error.js'
import { isRetryableStatus, type Retrier } from './retry.js'
import { mergeScopes, repositoryScope, type Scope } from './scope.js'
import {
  type Endpoint,
  headerOf,
  type Method,
  type RegistryRequest,
  type RegistryResponse,
  type RequestBody,
  type Send,
} from './send.js'
import { explainTlsAnswer } from './tls-error.js'
import type { UploadLimits } from './upload-limits.js'
import type { UrlPolicy } from './urls.js'

/** What the operations of a repository need of their client. */
export interface ClientAccess {
  readonly send: Send
  /** Decides how long to wait where an operation is more than one request. */
  readonly retrier: Retrier
  readonly policy: UrlPolicy
  /** How much at once gets through to each registry. */
  readonly uploadLimits: UploadLimits
  /** Remembers uploads from run to run; undefined when nothing is remembered. */
  readonly openUploads: OpenUploads | undefined
  endpointOf(registry: string, context: Context): Promise<Endpoint>
}

/** One registry as the operations on the whole of it see it. */
export interface RegistryAccess {
  readonly client: ClientAccess
  readonly registry: string
  /** For messages: `localhost:5000`. */
  readonly label: string
}

/** One repository as its operations see it. */
export interface RepositoryAccess extends RegistryAccess {
  /** Without the registry's host. */
  readonly name: string
  /** For messages: `localhost:5000/team/app`. */
  readonly label: string
  /** It is a mirror's: what it is a mirror of is told with each request (rule R16). */
  readonly mirrorOf?: string
  /** The most times that a request is sent which doesn't say so itself. */
  readonly attempts?: number
}

/** A request to a registry. */
export interface AccessRequest {
  readonly operation: string
  readonly method: Method
  /** Below `/v2/`, with its query, percent-encoded. Or a whole URL that was checked already. */
  readonly target: string | URL
  /** What a token must allow. The repository that is written to comes first (rule R105). */
  readonly scopes: readonly Scope[]
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: RequestBody
  readonly attempts?: number
  readonly collectLimitBytes?: number
  readonly isForeign?: boolean
  readonly movedBytes?: number
  readonly movesOn?: boolean
  readonly closes?: boolean
}

/** A request within a repository: its target is below `/v2/<name>/`. */
export interface RepositoryRequest extends Omit<AccessRequest, 'scopes'> {
  readonly access: 'pull' | 'push' | 'delete'
  /** Another repository of the same registry that must be readable too: for a mount (rule R65). */
  readonly alsoPull?: string
}

/** Sends a request to a registry. */
export async function sendToRegistry(
  { client, registry }: RegistryAccess,
  fields: AccessRequest,
  context: Context,
): Promise<{ request: RegistryRequest; response: RegistryResponse }> {
  const { target, headers = {}, ...rest } = fields
  const endpoint = await client.endpointOf(registry, context)
  const url = typeof target === 'string' ? new URL(`/v2/${target}`, endpoint.base) : target
  const request: RegistryRequest = { ...rest, url, headers, endpoint, context }
  return { request, response: await client.send(request) }
}

/** Sends a request within a repository, with the scopes that it needs. */
export async function sendTo(
  repository: RepositoryAccess,
  fields: RepositoryRequest,
  context: Context,
): Promise<{ request: RegistryRequest; response: RegistryResponse }> {
  const { target, access, alsoPull, ...rest } = fields
  const scopes = mergeScopes(
    [repositoryScope(repository.name, access)],
    alsoPull === undefined ? [] : [repositoryScope(alsoPull, 'pull')],
  )
  const path = typeof target === 'string' ? withNamespace(`${repository.name}/${target}`, repository) : target
  const attempts = rest.attempts ?? repository.attempts
  const movesOn = repository.mirrorOf !== undefined
  const request = { ...rest, target: path, scopes, movesOn, ...(attempts !== undefined && { attempts }) }
  return await sendToRegistry(repository, request, context)
}

/** Mirrors of several registries at once tell them apart by it (distribution-spec, Registry Proxying; rule R16). */
function withNamespace(path: string, { mirrorOf }: RepositoryAccess): string {
  if (mirrorOf === undefined) return path
  return `${path}${path.includes('?') ? '&' : '?'}ns=${encodeURIComponent(mirrorOf)}`
}

/**
 * The error for a status that was not hoped for. A repository that is not there and one that may not be seen are told
 * alike, since registries don't tell them apart (rules R9, R10).
 *
 * @param extra `missing` is what a 404 says is not there: `the manifest was`. Without it a 404 is about the repository.
 *   `code` replaces the error's code, where more is known than the status says
 */
export function responseError(
  request: RegistryRequest,
  response: RegistryResponse,
  extra: { hint?: string | undefined; missing?: string; code?: string } = {},
): RegistryError {
  const { status } = response
  const { codes, text } = readErrorBody(response.bytes)
  const isHidden = status === 404 && codes.includes('NAME_UNKNOWN')
  const isDenied = status === 401 || status === 403 || (isHidden && extra.missing === undefined)
  const isMissing = status === 404 || status === 410
  const tls = explainTlsAnswer(status, text, request.endpoint.registry)
  const reason =
    isDenied || isHidden
      ? 'repository not found or access denied'
      : isMissing
        ? `${extra.missing ?? 'it was'} not found`
        : (tls?.text ?? REASONS.get(status))
  const isNetwork = tls !== undefined || status >= 500 || status === 429 || status === 408 || status === 499
  return new RegistryError(request.operation, {
    kind: isDenied ? 'denied' : isMissing ? 'not-found' : isNetwork ? 'network' : 'failed',
    code: extra.code ?? tls?.code ?? codeOf(status, isDenied, isMissing),
    method: request.method,
    url: response.url,
    status,
    codes,
    attempts: response.attempts,
    reason,
    outcome: `answered ${describeStatus(status, response.bytes)}`,
    hint: tls?.hint ?? extra.hint ?? response.hint ?? hintFor(request, response, isDenied),
  })
}

function codeOf(status: number, isDenied: boolean, isMissing: boolean): string {
  if (isDenied) return 'denied'
  if (isMissing) return 'not-found'
  return status === 429 ? 'rate-limited' : `status-${status}`
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [413, 'the registry, or a proxy in front of it, limits the size of a request'],
  [429, 'the registry limits the rate of requests'],
])

function hintFor(
  request: RegistryRequest,
  response: RegistryResponse,
  isDenied: boolean,
): string | undefined {
  if (isDenied) return loginHint(request, response.credentialFrom)
  if (response.status === 429) return explainRateLimit(response, request.endpoint.registry, Date.now())
  if (response.status >= 500 && isRetryableStatus(response.status)) return TROUBLE_HINT
  return undefined
}

const TROUBLE_HINT = 'The registry, or a proxy in front of it, is in trouble: try again later'

/**
 * Refuses a web page where JSON was asked for: there are servers that answer 200 to whatever they are asked (rule R37).
 *
 * @throws RegistryError `not-a-registry`
 */
export function refuseWebPage(request: RegistryRequest, response: RegistryResponse): void {
  if (!/^\s*</.test(response.bytes.subarray(0, 100).toString('latin1'))) return
  const type = essenceOf(headerOf(response, 'content-type') ?? '')
  throw new RegistryError(request.operation, {
    kind: 'corrupt',
    code: 'not-a-registry',
    method: request.method,
    url: response.url,
    status: response.status,
    reason: 'the server sent something else',
    outcome: `answered ${response.status} with a page${type === '' ? '' : ` (${sanitize(type).slice(0, 100)})`}`,
    hint: `Check that ${request.endpoint.registry} is the address of a registry, and not of its web pages`,
  })
}

function loginHint({ endpoint }: RegistryRequest, credentialFrom: string | undefined): string {
  if (credentialFrom === undefined) return waysToLogIn(endpoint.registry)
  return `The credentials for ${endpoint.registry} are from ${credentialFrom}. ${waysToLogIn(endpoint.registry)}`
}

/** The digest that a response names; undefined when it names none. */
export function digestHeaderOf(response: RegistryResponse): string | undefined {
  const value = response.headers['docker-content-digest']
  return typeof value === 'string' && value !== '' ? value : undefined
}
