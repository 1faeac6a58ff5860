import type { Context } from '../content/store.js'
import { type RepositoryAccess, responseError, sendTo } from './access.js'
import { nextLink } from './link.js'
import { RegistryError } from './registry-error.js'
import { headerValues, isSuccess, type RegistryRequest, type RegistryResponse } from './send.js'
import { isSameOrigin, resolveServerUrl, UnsafeUrlError } from './urls.js'

const MAXIMUM_PAGES = 10_000

/** How a list is asked for. */
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

/**
 * Goes through the pages of a list by their Link headers (rules R69 to R71).
 *
 * @throws RegistryError `bad-link` when a link leaves the registry or goes in a circle
 */
export async function* readPages(
  repository: RepositoryAccess,
  { operation, target, limitBytes, accept }: PageRequest,
  context: Context,
): AsyncGenerator<Page> {
  const seen = new Set<string>()
  let next: string | URL = target
  for (;;) {
    const { request, response }: { request: RegistryRequest; response: RegistryResponse } = await sendTo(
      repository,
      {
        operation,
        method: 'GET',
        target: next,
        access: 'pull',
        headers: { accept },
        collectLimitBytes: limitBytes,
      },
      context,
    )
    const link = isSuccess(response.status) ? nextLink(headerValues(response, 'link')) : undefined
    yield { request, response, hasNext: link !== undefined }
    if (link === undefined) return
    seen.add(request.url.href)
    next = follow(repository, link, request, response)
    if (seen.has(next.href)) throw badLink(request, response, 'the pages go in a circle')
    if (seen.size >= MAXIMUM_PAGES) throw badLink(request, response, `more than ${MAXIMUM_PAGES} pages`)
  }
}

function follow(
  repository: RepositoryAccess,
  link: string,
  request: RegistryRequest,
  response: RegistryResponse,
): URL {
  try {
    const url = resolveServerUrl(link, response.url, request.endpoint, 'Link', repository.client.policy)
    if (isSameOrigin(url, request.endpoint.base)) return url
  } catch (error) {
    if (!(error instanceof UnsafeUrlError)) throw error
    throw badLink(request, response, error.message)
  }
  throw badLink(request, response, 'the next page is on another host')
}

function badLink(request: RegistryRequest, response: RegistryResponse, why: string): RegistryError {
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
