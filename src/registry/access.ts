import type { Context } from '../content/store.js'
import { readErrorBody } from './error-body.js'
import { RegistryError, waysToLogIn } from './registry-error.js'
import type { Retrier } from './retry.js'
import { mergeScopes, repositoryScope } from './scope.js'
import type { Endpoint, Method, RegistryRequest, RegistryResponse, RequestBody, Send } from './send.js'
import type { UrlPolicy } from './urls.js'

/** What the operations of a repository need of their client. */
export interface ClientAccess {
  readonly send: Send
  /** Decides how long to wait where an operation is more than one request. */
  readonly retrier: Retrier
  readonly policy: UrlPolicy
  endpointOf(registry: string, context: Context): Promise<Endpoint>
}

/** One repository as its operations see it. */
export interface RepositoryAccess {
  readonly client: ClientAccess
  readonly registry: string
  /** Without the registry's host. */
  readonly name: string
  /** For messages: `localhost:5000/team/app`. */
  readonly label: string
}

/** A request within a repository. */
export interface RepositoryRequest {
  readonly operation: string
  readonly method: Method
  /** Below `/v2/<name>/`, with its query, percent-encoded. Or a whole URL that was checked already. */
  readonly target: string | URL
  readonly access: 'pull' | 'push' | 'delete'
  /** Another repository of the same registry that must be readable too: for a mount (rule R65). */
  readonly alsoPull?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: RequestBody
  readonly attempts?: number
  readonly collectLimitBytes?: number
}

/** Sends a request within a repository, with the scopes that it needs. */
export async function sendTo(
  repository: RepositoryAccess,
  fields: RepositoryRequest,
  context: Context,
): Promise<{ request: RegistryRequest; response: RegistryResponse }> {
  const { target, access, alsoPull, headers = {}, ...rest } = fields
  const endpoint = await repository.client.endpointOf(repository.registry, context)
  const request: RegistryRequest = {
    ...rest,
    url: typeof target === 'string' ? new URL(`/v2/${repository.name}/${target}`, endpoint.base) : target,
    headers,
    endpoint,
    scopes: mergeScopes(
      [repositoryScope(repository.name, access)],
      alsoPull === undefined ? [] : [repositoryScope(alsoPull, 'pull')],
    ),
    context,
  }
  return { request, response: await repository.client.send(request) }
}

/**
 * The error for a status that was not hoped for. A repository that is not there and one that may not be seen are told
 * alike, since registries don't tell them apart (rules R9, R10).
 *
 * @param extra `missing` is what a 404 says is not there: `the manifest was`. Without it a 404 is about the repository
 */
export function responseError(
  request: RegistryRequest,
  response: RegistryResponse,
  extra: { hint?: string | undefined; missing?: string } = {},
): RegistryError {
  const { status, credentialFrom } = response
  const { codes, text } = readErrorBody(response.bytes)
  const isHidden = status === 404 && codes.includes('NAME_UNKNOWN')
  const isDenied = status === 401 || status === 403 || (isHidden && extra.missing === undefined)
  const isMissing = status === 404 || status === 410
  const reason =
    isDenied || isHidden
      ? 'repository not found or access denied'
      : isMissing
        ? `${extra.missing ?? 'it was'} not found`
        : REASONS.get(status)
  const isNetwork = status >= 500 || status === 429 || status === 408 || status === 499
  return new RegistryError(request.operation, {
    kind: isDenied ? 'denied' : isMissing ? 'not-found' : isNetwork ? 'network' : 'failed',
    code: isDenied
      ? 'denied'
      : isMissing
        ? 'not-found'
        : status === 429
          ? 'rate-limited'
          : `status-${status}`,
    method: request.method,
    url: response.url,
    status,
    codes,
    attempts: response.attempts,
    reason,
    outcome: `answered ${status}${text === '' ? '' : ` (${text})`}`,
    hint: extra.hint ?? (isDenied ? loginHint(request, credentialFrom) : undefined),
  })
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [413, 'the registry, or a proxy in front of it, limits the size of a request'],
  [429, 'the registry limits the rate of requests'],
])

function loginHint({ endpoint }: RegistryRequest, credentialFrom: string | undefined): string {
  if (credentialFrom === undefined) return waysToLogIn(endpoint.registry)
  return `The credentials for ${endpoint.registry} are from ${credentialFrom}. ${waysToLogIn(endpoint.registry)}`
}

/** The digest that a response names; undefined when it names none. */
export function digestHeaderOf(response: RegistryResponse): string | undefined {
  const value = response.headers['docker-content-digest']
  return typeof value === 'string' && value !== '' ? value : undefined
}
