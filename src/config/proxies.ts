import { BlockList } from 'node:net'
import { ConfigError, hostnameOf } from './insecure-registries.js'
import { ipVersion, isLoopbackAddress } from './ip-version.js'

/** Decides which proxy a request goes through; undefined for none. */
export type ProxyDecision = (url: URL) => URL | undefined

/**
 * Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` as Go programs do, and so Docker (rule R160): upper case before lower
 * case, no `HTTP_PROXY` for https, and never for loopback. `NO_PROXY` lists hosts (which stand for their subdomains
 * too), `.suffixes`, addresses, CIDRs, each with a port or without, or `*`. The `proxies` of Docker's config.json are for
 * containers and builds, and its `HttpHeaders` for Docker's daemon: neither is for registries (rule R127).
 *
 * @throws ConfigError when a proxy's address makes no sense; the message does not repeat it, since it may hold a password
 */
export function proxiesFrom(environment: NodeJS.ProcessEnv): ProxyDecision {
  const read = (name: string) => environment[name] || environment[name.toLowerCase()] || undefined
  const proxies = {
    'http:': parseProxy('HTTP_PROXY', read('HTTP_PROXY')),
    'https:': parseProxy('HTTPS_PROXY', read('HTTPS_PROXY')),
  }
  const exceptions = (read('NO_PROXY') ?? '')
    .split(',')
    .map(entry => entry.trim().toLowerCase())
    .filter(entry => entry !== '')
    .map(exceptionFor)
  return url => {
    const proxy = url.protocol === 'http:' || url.protocol === 'https:' ? proxies[url.protocol] : undefined
    if (proxy === undefined) return undefined
    const host = hostnameOf(url.hostname).replace(/\.$/, '')
    const port = url.port !== '' ? url.port : url.protocol === 'https:' ? '443' : '80'
    if (host === 'localhost' || isLoopbackAddress(host)) return undefined
    return exceptions.some(matches => matches(host, port)) ? undefined : proxy
  }
}

function parseProxy(name: string, text: string | undefined): URL | undefined {
  if (text === undefined) return undefined
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
  const full = hasScheme ? text : `http://${text}`
  const url = URL.canParse(full) ? new URL(full) : undefined
  if (url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new ConfigError(`${name} is no address of an HTTP proxy`, {
    kind: 'usage',
    code: 'bad-proxy',
    hint: 'Write it as http://proxy.example:3128',
  })
}

function exceptionFor(entry: string): (host: string, port: string) => boolean {
  if (entry === '*') return () => true
  const range = /^(.+)\/(\d+)$/.exec(entry)
  const address = range?.[1] ?? ''
  const version = ipVersion(address)
  if (version !== 0) {
    const bits = Number(range?.[2])
    if (bits > (version === 6 ? 128 : 32)) return () => false
    const list = new BlockList()
    list.addSubnet(address, bits, version === 6 ? 'ipv6' : 'ipv4')
    return host => ipVersion(host) !== 0 && list.check(host, ipVersion(host) === 6 ? 'ipv6' : 'ipv4')
  }
  const name = hostnameOf(entry)
  const port = ipVersion(entry) === 6 ? undefined : /:(\d+)$/.exec(entry)?.[1]
  const fits = (other: string) => port === undefined || port === other
  if (ipVersion(name) !== 0) return (host, other) => host === name && fits(other)
  // A leading dot, or *. in its place, leaves the name itself out.
  const suffix = name.replace(/^\*?\./, '.')
  if (suffix.startsWith('.')) return (host, other) => host.endsWith(suffix) && fits(other)
  return (host, other) => (host === suffix || host.endsWith(`.${suffix}`)) && fits(other)
}
