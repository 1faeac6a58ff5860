import { isInternal, isLoopback } from './addresses.js'
import type { Endpoint } from './send.js'

/** What decides where a registry may send us. */
export interface UrlPolicy {
  /** Whether a host (`host:port`) is explicitly insecure, so that clear text to it is allowed. */
  isInsecure(host: string): boolean
  /** Allows private addresses on other hosts: for a registry inside a network that keeps its content elsewhere in it. */
  readonly allowInternal: boolean
}

/**
 * Where a URL came from. A realm takes credentials, so it is held to more; so are the `urls` of a descriptor, which
 * anybody may have written.
 */
export type UrlPurpose = 'redirect' | 'Location' | 'Link' | 'realm' | 'urls'

/** Why a URL that a server gave is not followed. */
export class UnsafeUrlError extends Error {}

/** Host and path of a URL for messages and logs: never the query, which may hold signatures (rule R219). */
export function displayUrl(url: URL): string {
  const text = `${url.host}${url.pathname}`.replace(/[^\x20-\x7e]/g, '?')
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

/**
 * Makes a URL of what a server gave, and checks that it may be followed (rules R42 to R45, R213 to R217).
 *
 * @param text absolute, `//host/path`, `host/path`, a path, or a query
 * @param base the URL that answered
 * @throws UnsafeUrlError with the reason; its message has no query
 */
export function resolveServerUrl(
  text: string,
  base: URL,
  endpoint: Endpoint,
  purpose: UrlPurpose,
  policy: UrlPolicy,
): URL {
  const url = parse(text, base, purpose)
  const target = displayUrl(url)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new UnsafeUrlError(`the ${purpose} has the scheme ${url.protocol}`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new UnsafeUrlError(`the ${purpose} to ${target} holds a user name`)
  }
  url.hash = ''
  if (purpose === 'urls' && url.protocol === 'http:')
    throw new UnsafeUrlError(`the place at http://${target} is not https`)
  const isSecure = endpoint.base.protocol === 'https:'
  if (url.hostname === endpoint.base.hostname) {
    // A registry behind a TLS proxy names itself by http: never follow that in clear text (rule R44).
    return isSecure && url.protocol === 'http:' ? withHttps(url, endpoint) : url
  }
  if (url.protocol === 'http:' && (isSecure || purpose === 'realm') && !policy.isInsecure(url.host)) {
    throw new UnsafeUrlError(`the ${purpose} to http://${target} would leave TLS for another host`)
  }
  const bothLoopback = isLoopback(url.hostname) && isLoopback(endpoint.base.hostname)
  if (isInternal(url.hostname) && !bothLoopback && !policy.allowInternal) {
    throw new UnsafeUrlError(`the ${purpose} to ${target} is an internal address on another host`)
  }
  return url
}

function parse(text: string, base: URL, purpose: UrlPurpose): URL {
  if (/[\x00-\x20\x7f]/.test(text) || text === '') throw new UnsafeUrlError(`the ${purpose} is malformed`)
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
  // `host/path` without a scheme (rule R42): only what looks like a host, since a relative path looks alike.
  const isHostFirst = !hasScheme && /^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9.-]+:\d+|localhost)\//i.test(text)
  try {
    return isHostFirst ? new URL(`${base.protocol}//${text}`) : new URL(text, base)
  } catch {
    throw new UnsafeUrlError(`the ${purpose} is malformed`)
  }
}

function withHttps(url: URL, endpoint: Endpoint): URL {
  const upgraded = new URL(url)
  upgraded.protocol = 'https:'
  // Port 80 written out or left out becomes the registry's own port: the proxy in front speaks TLS there.
  if (url.port === '') upgraded.port = endpoint.base.port
  return upgraded
}

/** Whether two URLs have scheme, host and port in common, so that credentials of one may go to the other. */
export function isSameOrigin(one: URL, other: URL): boolean {
  return one.origin === other.origin
}

/** Adds a parameter behind what is there, leaving the rest byte for byte (rule R43). */
export function appendQuery(url: URL, name: string, value: string): URL {
  const separator = url.search === '' ? '?' : '&'
  return new URL(`${url.href.replace(/\?$/, '')}${separator}${name}=${encodeURIComponent(value)}`)
}
