import { RegistryError } from './registry-error.js'
import { discard, headerOf, type RegistryRequest, type Send } from './send.js'
import { displayUrl, isSameOrigin, resolveServerUrl, UnsafeUrlError, type UrlPolicy } from './urls.js'

const MAXIMUM_HOPS = 10
const REDIRECTS = new Set([301, 302, 303, 307, 308])
/** What is meant for the origin that the user named, and for no other (rule R210). */
const PRIVATE_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization'])

/**
 * Follows redirects, at most 10 (rule R4). A hop to another origin loses the credentials, and they don't come back when
 * a later hop returns (rules R209, R210).
 *
 * @throws RegistryError `unsafe-url` for a target that is not followed, `redirect-loop`, or `redirected-upload` where
 *   following would turn an upload into a GET (rule R5)
 */
export function withRedirects(next: Send, policy: UrlPolicy): Send {
  return async first => {
    let request = first
    const seen = new Set<string>()
    for (;;) {
      seen.add(request.url.href)
      const response = await next(request)
      const location = headerOf(response, 'location')
      if (!REDIRECTS.has(response.status) || location === undefined) return response
      discard(response)
      const fail = (code: string, outcome: string, hint?: string) =>
        new RegistryError(first.operation, {
          kind: 'network',
          code,
          method: request.method,
          url: request.url,
          status: response.status,
          outcome: `answered ${response.status}: ${outcome}`,
          hint,
        })
      const target = follow(location, response.url, request, policy, fail)
      if (keepsMethod(request, response.status) === false) {
        const hint = `Name the registry as it names itself: ${target.host}`
        throw fail('redirected-upload', `it redirects to ${target.protocol}//${displayUrl(target)}`, hint)
      }
      if (seen.has(target.href)) throw fail('redirect-loop', `it redirects in a circle`)
      if (seen.size > MAXIMUM_HOPS) throw fail('redirect-loop', `more than ${MAXIMUM_HOPS} redirects`)
      const crosses = !isSameOrigin(target, request.url)
      if (crosses && request.secretBody === true) {
        throw fail('unsafe-url', `it redirects a secret to ${displayUrl(target)}`)
      }
      request = { ...request, url: target, ...(crosses && { headers: withoutPrivate(request.headers) }) }
    }
  }
}

function follow(
  location: string,
  base: URL,
  request: RegistryRequest,
  policy: UrlPolicy,
  fail: (code: string, outcome: string) => RegistryError,
): URL {
  try {
    const purpose = request.isForeign === true ? 'urls' : 'redirect'
    return resolveServerUrl(location, base, request.endpoint, purpose, policy)
  } catch (error) {
    if (error instanceof UnsafeUrlError) throw fail('unsafe-url', `${error.message}, which is refused`)
    throw error
  }
}

function keepsMethod(request: RegistryRequest, status: number): boolean {
  return request.method === 'GET' || request.method === 'HEAD' || status === 307 || status === 308
}

function withoutPrivate(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !PRIVATE_HEADERS.has(name)))
}
