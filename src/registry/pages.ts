import type { Context } from '../content/store.js'
import { type RegistryAccess, type RepositoryAccess, responseError, sendToRegistry } from './access.js'
import { nextLink } from './link.js'
import { RegistryError } from './registry-error.js'
import { repositoryScope, type Scope } from './scope.js'
import { headerValues, isSuccess, type RegistryRequest, type RegistryResponse } from './send.js'
import { isSameOrigin, resolveServerUrl, UnsafeUrlError } from './urls.js'

const MAXIMUM_PAGES = 10_000

/** How a list of a repository is asked for. */
export interface PageRequest {
  operation: string
  /** Below `/v2/<name>/`. */
  target: string
  limitBytes: number
  accept: string
}

/** One page of a list. */
export interface Page {
  request: RegistryRequest
  response: RegistryResponse
  /** Whether a Link leads on. */
  hasNext: boolean
}

/** Goes through the pages of a list of a repository as {@link readRegistryPages} does. */
export function readPages(
  repository: RepositoryAccess,
  request: PageRequest,
  context: Context,
): AsyncGenerator<Page> {
  const target = `${repository.name}/${request.target}`
  const scopes = [repositoryScope(repository.name, 'pull')]
  return readRegistryPages(repository, { ...request, target, scopes }, context)
}

/** How a list of a registry is asked for: its target is below `/v2/`. */
export interface RegistryPageRequest extends PageRequest {
  /** What a token must allow. */
  scopes: readonly Scope[]
}

/**
 * Goes through the pages of a list by their Link headers (rules R69 to R71). The next one is asked for when the caller
 * wants it, and not before.
 *
 * @throws RegistryError `bad-link` when a link leaves the registry or goes in a circle
 */
export async function* readRegistryPages(
  registry: RegistryAccess,
  { operation, target, limitBytes, accept, scopes }: RegistryPageRequest,
  context: Context,
): AsyncGenerator<Page> {
  const seen = new Set<string>()
  let next: string | URL = target
  for (;;) {
    const { request, response }: { request: RegistryRequest; response: RegistryResponse } =
      await sendToRegistry(
        registry,
        {
          operation,
          method: 'GET',
          target: next,
          scopes,
          headers: { accept },
          collectLimitBytes: limitBytes,
        },
        context,
      )
    const link = isSuccess(response.status) ? nextLink(headerValues(response, 'link')) : undefined
    yield { request, response, hasNext: link !== undefined }
    if (link === undefined) return
    seen.add(request.url.href)
    next = follow(registry, link, request, response)
    if (seen.has(next.href)) throw badPage(request, response, 'the pages go in a circle')
    if (seen.size >= MAXIMUM_PAGES) throw badPage(request, response, `more than ${MAXIMUM_PAGES} pages`)
  }
}

function follow(
  registry: RegistryAccess,
  link: string,
  request: RegistryRequest,
  response: RegistryResponse,
): URL {
  try {
    const url = resolveServerUrl(link, response.url, request.endpoint, 'Link', registry.client.policy)
    if (isSameOrigin(url, request.endpoint.base)) return url
  } catch (error) {
    if (!(error instanceof UnsafeUrlError)) throw error
    throw badPage(request, response, error.message)
  }
  throw badPage(request, response, 'the next page is on another host')
}

/** The error of a list whose pages lead nowhere. `why` continues `answered 200: `. */
export function badPage(request: RegistryRequest, response: RegistryResponse, why: string): RegistryError {
  return new RegistryError(request.operation, {
    kind: 'network',
    code: 'bad-link',
    method: request.method,
    url: response.url,
    status: response.status,
    outcome: `answered ${response.status}: ${why}`,
  })
}

/** The error of a page that could not be had. */
export function pageError(page: Page): RegistryError {
  return responseError(page.request, page.response)
}
