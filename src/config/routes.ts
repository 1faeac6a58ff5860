import type { HubMirror } from './docker-settings.js'
import { ConfigError } from './insecure-registries.js'
import type { MirrorReads, RegistryRule } from './registries-conf.js'

/** A repository of a registry, as it is reached. */
export interface Place {
  /** `host[:port]`, or `docker.io`. */
  readonly registry: string
  /** Without the host. */
  readonly name: string
  /** Settings say that this one is insecure; otherwise that is for the list of insecure registries to say. */
  readonly insecure: boolean
}

/** A mirror of a repository. */
export interface MirrorPlace extends Place {
  readonly reads: MirrorReads
}

/** Where a repository is, and which mirrors there are of it, in the order in which they are asked. */
export interface Route extends Place {
  readonly mirrors: readonly MirrorPlace[]
}

/** Where repositories are, by registries.conf and Docker's `registry-mirrors` (rules R156, R158). */
export class Routes {
  readonly #rules: readonly RegistryRule[]
  readonly #hubMirrors: readonly HubMirror[]

  constructor(rules: readonly RegistryRule[], hubMirrors: readonly HubMirror[]) {
    this.#rules = rules
    this.#hubMirrors = hubMirrors
  }

  /**
   * @param registry as in a reference
   * @param name the full name of the repository; empty for the registry as a whole
   * @throws ConfigError `blocked`, which names the file
   */
  routeOf(registry: string, name: string): Route {
    const full = name === '' ? registry : `${registry}/${name}`
    const { rule, rest } = this.#ruleFor(full)
    if (rule?.blocked === true) {
      throw new ConfigError(`${rule.prefix} is blocked by ${rule.from}`, {
        kind: 'denied',
        code: 'blocked',
        hint: `Remove \`blocked = true\` for ${rule.prefix} there, if it is for you to decide`,
      })
    }
    const own = rule?.location === undefined ? placeOf(full) : placeOf(rule.location + rest)
    const ruled = (rule?.mirrors ?? []).map(({ location, insecure, reads }) => ({
      ...placeOf(location + rest),
      insecure,
      reads,
    }))
    const docker = registry !== 'docker.io' ? [] : this.#hubMirrors
    const listed = docker.map(({ host, isClearText }) => {
      return { registry: host, name, insecure: isClearText, reads: 'all' as const }
    })
    return { ...own, insecure: rule?.insecure ?? false, mirrors: [...ruled, ...listed] }
  }

  /** The rule with the longest prefix, and what stands behind that prefix. */
  #ruleFor(full: string): { rule: RegistryRule | undefined; rest: string } {
    let found: { rule: RegistryRule; length: number } | undefined
    for (const rule of this.#rules) {
      const length = matchedLength(full, rule.prefix)
      if (length === undefined) continue
      if (found === undefined || rule.prefix.length > found.rule.prefix.length) found = { rule, length }
    }
    return { rule: found?.rule, rest: full.slice(found?.length ?? full.length) }
  }
}

/** How much of a name a prefix stands for: whole parts of a path, or any host below a domain. */
function matchedLength(full: string, prefix: string): number | undefined {
  if (prefix.startsWith('*.')) {
    const host = full.split('/', 1)[0] ?? ''
    return host.replace(/:\d+$/, '').endsWith(prefix.slice(1)) ? host.length : undefined
  }
  return full === prefix || full.startsWith(`${prefix}/`) ? prefix.length : undefined
}

function placeOf(full: string): Place {
  const slash = full.indexOf('/')
  const [registry, name] = slash < 0 ? [full, ''] : [full.slice(0, slash), full.slice(slash + 1)]
  return { registry: registry === 'index.docker.io' ? 'docker.io' : registry, name, insecure: false }
}
