import { lookup as dnsLookup } from 'node:dns/promises'
import { BlockList } from 'node:net'
import { RegctlError } from '../errors.js'
import { ipVersion, isLoopbackAddress } from './ip-version.js'

/** An option or a settings file says something that makes no sense. */
export class ConfigError extends RegctlError {}

/** Resolves a name to addresses; rejects when there are none. */
export type ResolveAddresses = (host: string) => Promise<readonly string[]>

const resolveBySystem: ResolveAddresses = async host =>
  (await dnsLookup(host, { all: true })).map(entry => entry.address)

/**
 * Which registries may be spoken to without a valid certificate, and in clear text (rule R148, Docker's
 * `--insecure-registry`). Loopback is always among them.
 */
export class InsecureRegistries {
  readonly #hosts = new Set<string>()
  #loadedRanges: BlockList | undefined
  readonly #hasRanges: boolean
  readonly #resolve: ResolveAddresses

  /**
   * @param entries `HOST`, `HOST:PORT` or a CIDR such as `10.0.0.0/8`; a leading `http://` or `https://` is dropped
   * @throws ConfigError of kind `usage` for an entry that is none of these
   */
  constructor(entries: readonly string[] = [], resolve: ResolveAddresses = resolveBySystem) {
    this.#resolve = resolve
    let hasRanges = false
    for (const entry of entries) hasRanges = this.#add(entry) || hasRanges
    this.#hasRanges = hasRanges
  }

  /** Returns true when the entry was a range. */
  #add(entry: string): boolean {
    const text = entry.trim().replace(/^https?:\/\//i, '')
    const slash = text.indexOf('/')
    if (slash < 0 || slash === text.length - 1) {
      const host = text.replace(/\/$/, '').toLowerCase()
      if (host === '' || /[\s/@?#]/.test(host)) throw badEntry(entry)
      this.#hosts.add(host)
      return false
    }
    const address = text.slice(0, slash)
    const bits = Number(text.slice(slash + 1))
    const family = ipVersion(address)
    if (family === 0 || !Number.isInteger(bits) || bits < 0 || bits > (family === 4 ? 32 : 128)) {
      throw badEntry(entry)
    }
    this.#ranges.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6')
    return true
  }

  /** Whether a host is listed by name, or is a loopback name or an address in a listed range. Asks no name server. */
  matches(registry: string): boolean {
    const host = registry.toLowerCase()
    const name = hostnameOf(host)
    if (this.#hosts.has(host) || this.#hosts.has(name)) return true
    return name === 'localhost' || name.endsWith('.localhost') || this.#inRange(name)
  }

  /**
   * As {@link matches}, and also resolves a name when ranges are listed. A failed look-up means secure, and Docker Hub
   * always is.
   */
  async resolves(registry: string): Promise<boolean> {
    if (registry === 'docker.io') return false
    if (this.matches(registry)) return true
    if (!this.#hasRanges || ipVersion(hostnameOf(registry)) !== 0) return false
    try {
      return (await this.#resolve(hostnameOf(registry))).some(address => this.#inRange(address))
    } catch {
      return false
    }
  }

  #inRange(address: string): boolean {
    if (isLoopbackAddress(address)) return true
    const version = ipVersion(address)
    if (version === 0 || (version === 4 && !this.#hasRanges)) return false
    return this.#ranges.check(address, version === 6 ? 'ipv6' : 'ipv4')
  }

  /** Most runs need none: what is loaded for them, is loaded then. */
  get #ranges(): BlockList {
    if (this.#loadedRanges === undefined) {
      this.#loadedRanges = new BlockList()
      this.#loadedRanges.addSubnet('127.0.0.0', 8, 'ipv4')
      this.#loadedRanges.addAddress('::1', 'ipv6')
    }
    return this.#loadedRanges
  }
}

/** The name or address of `host`, `host:port` or `[v6]:port`, without port and brackets. */
export function hostnameOf(host: string): string {
  const bracketed = host.startsWith('[') ? /^\[([^\]]+)\](?::\d+)?$/.exec(host) : null
  if (bracketed?.[1] !== undefined) return bracketed[1]
  return !host.includes(':') || ipVersion(host) === 6 ? host : host.replace(/:\d+$/, '')
}

function badEntry(entry: string): ConfigError {
  return new ConfigError(`"${entry}" is no insecure registry: it is neither HOST[:PORT] nor a CIDR`, {
    kind: 'usage',
    code: 'bad-insecure-registry',
    hint: 'Write it as localhost:5000, registry.example or 10.0.0.0/8',
  })
}
