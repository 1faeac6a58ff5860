import { DOCKER_HUB } from '../content/reference.js'

/** Under which name Docker and its helpers keep the login of Docker Hub (rules R124, R134). */
export const HUB_SERVER = 'https://index.docker.io/v1/'
/** The hosts that Docker Hub goes by. */
export const HUB_HOSTS: readonly string[] = [DOCKER_HUB, 'index.docker.io', 'registry-1.docker.io']

/** An entry of a file with the key that it was found under. */
export interface KeyedValue<T> {
  readonly key: string
  readonly value: T
}

/** Finds the entry for a registry, or for one of its repositories. */
export type MatchKey = <T>(
  entries: ReadonlyMap<string, T>,
  registry: string,
  repository?: string,
) => KeyedValue<T> | undefined

/** The name under which stores and helpers keep the credentials of a registry (rule R134). */
export function serverOf(registry: string): string {
  return HUB_HOSTS.includes(registry) ? HUB_SERVER : registry
}

/** The registry that a key of a file or a store is for: without scheme and path, Docker Hub under one name. */
export function registryOf(key: string): string {
  const host = hostOf(key)
  return HUB_HOSTS.includes(host) ? DOCKER_HUB : host
}

/**
 * The entry for a registry: under exactly its name, else under a key that comes down to it without scheme and path.
 * Ports must match; upper and lower case don't count (rules R123, R124).
 */
export const matchKey: MatchKey = (entries, registry) => {
  const names = HUB_HOSTS.includes(registry) ? [HUB_SERVER, ...HUB_HOSTS] : [registry]
  for (const key of names) {
    const value = entries.get(key)
    if (value !== undefined) return { key, value }
  }
  const hosts = new Set(names.map(hostOf))
  for (const [key, value] of entries) if (hosts.has(hostOf(key))) return { key, value }
  return undefined
}

/**
 * As {@link matchKey}, where keys may name a part of a registry: `host/team` is for every repository below it, and the
 * longest such key wins (containers-auth.json(5); rule R131). What has a scheme is for the whole registry.
 */
export const matchLongestKey: MatchKey = (entries, registry, repository) => {
  const parts = repository?.split('/') ?? []
  const wholeNames = new Map(
    [...entries].reverse().map(([key, value]) => [withoutScheme(key), { key, value }] as const),
  )
  const hosts = HUB_HOSTS.includes(registry) ? HUB_HOSTS : [registry.toLowerCase()]
  for (let length = parts.length; length > 0; length--) {
    const path = parts.slice(0, length).join('/')
    const found = hosts.map(host => wholeNames.get(`${host}/${path}`)).find(entry => entry !== undefined)
    if (found !== undefined) return found
  }
  return matchKey(new Map([...entries].filter(([key]) => !isNamespaced(key))), registry)
}

/** Whether a key of a containers auth.json is for a part of a registry only. */
export function isNamespaced(key: string): boolean {
  return withoutScheme(key).includes('/')
}

/** The registry, or the part of it, that a key of a containers auth.json is for. */
export function namespaceOf(key: string): string {
  return isNamespaced(key) ? withoutScheme(key) : registryOf(key)
}

function withoutScheme(key: string): string {
  const hasScheme = /^https?:\/\//i.test(key)
  if (hasScheme) return hostOf(key)
  return `${hostOf(key)}${key.slice(hostOf(key).length)}`.replace(/\/+$/, '')
}

function hostOf(key: string): string {
  return key
    .replace(/^https?:\/\//i, '')
    .replace(/\/.*$/s, '')
    .toLowerCase()
}
