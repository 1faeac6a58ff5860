import { messageOf } from '../errors.js'
import {
  type CredentialPlace,
  describeCredential,
  type FoundCredential,
  type OpenedPlace,
  type PlaceEntry,
} from './credential-place.js'
import type { Credential, CredentialLookup } from './credential-store.js'
import { type CredentialLookupOptions, lookupPlaces } from './lookup-places.js'

/** What a place had to say when it was asked for a registry's credentials. */
export interface PlaceOutcome {
  /** `DOCKER_AUTH_CONFIG`, `the keychain (Secret Service)`, a path. */
  readonly place: string
  /**
   * - `absent`: the place is not there
   * - `no-entry`: it has nothing for this registry
   * - `used`: its entry is what the registry gets
   * - `shadowed`: its entry is not used, since a place before it has one
   * - `failed`: it can't be asked; unless it is the keychain, a look-up ends with this error
   * - `not-asked`: the look-up has ended before
   */
  readonly state: 'absent' | 'no-entry' | 'used' | 'shadowed' | 'failed' | 'not-asked'
  /** The entry, for `used` and `shadowed`. */
  readonly entry?: PlaceEntry
  /** For `absent` and `failed`, in words. */
  readonly reason?: string
}

/** What a place keeps. */
export interface PlaceContent {
  readonly place: string
  readonly entries: readonly PlaceEntry[]
  /** Why it can't be read, in words. */
  readonly reason?: string
}

/** The places where credentials are looked up, one after the other. */
export interface CredentialChain extends CredentialLookup {
  /**
   * Asks every place in turn and tells what each said. Secrets are left out.
   *
   * @param options.isComplete false: those after the place whose entry is used are not asked
   */
  explain(registry: string, repository?: string, options?: { isComplete: boolean }): Promise<PlaceOutcome[]>
  /** What there is in each place, in the order in which they are asked. Secrets are left out. */
  list(): Promise<PlaceContent[]>
}

/**
 * The credentials of a run: flags, `DOCKER_AUTH_CONFIG`, GitLab's variables, the keychain, `REGISTRY_AUTH_FILE`,
 * Docker's config.json with its helpers, the auth.json of the containers tools, `~/.dockercfg`. A place is opened when
 * a registry first asks, and each repository is looked up once.
 *
 * @throws (from `find`) CredentialError when a place holds something that can't be read
 */
export function createCredentialLookup(options: CredentialLookupOptions): CredentialChain {
  const places = lookupPlaces(options).map(openOnce)
  const find = findIn(places, options.warn)
  const known = new Map<string, Promise<Credential | undefined>>()
  return {
    find(registry, repository = '') {
      const key = `${registry}/${repository}`
      const found = known.get(key) ?? find(registry, repository === '' ? undefined : repository)
      known.set(key, found)
      return found
    },
    explain: (registry, repository, { isComplete } = { isComplete: true }) =>
      explain(places, registry, repository, isComplete),
    list: () => Promise.all(places.map(listPlace)),
  }
}

/** A place that is opened when it is first asked, and not again. */
function openOnce(place: CredentialPlace): CredentialPlace {
  let opened: Promise<OpenedPlace | undefined> | undefined
  return { ...place, open: () => (opened ??= place.open()) }
}

/** The first place that knows something wins. What fails and may is told once. */
function findIn(
  places: readonly CredentialPlace[],
  warn: (message: string) => void,
): CredentialLookup['find'] {
  const failed = new Set<CredentialPlace>()
  return async (registry, repository) => {
    for (const place of places) {
      if (failed.has(place)) continue
      try {
        const found = await (await place.open())?.find(registry, repository)
        if (found !== undefined) return found.credential
      } catch (error) {
        if (!place.isOptional) throw error
        if (!failed.has(place)) warn(`${messageOf(error)}: going on without it`)
        failed.add(place)
      }
    }
    return undefined
  }
}

async function explain(
  places: readonly CredentialPlace[],
  registry: string,
  repository: string | undefined,
  isComplete: boolean,
): Promise<PlaceOutcome[]> {
  const outcomes: PlaceOutcome[] = []
  let isUsed = false
  let isOver = false
  for (const place of places) {
    const { label, absence, isOptional } = place
    if (isOver) {
      outcomes.push({ place: label, state: 'not-asked' })
      continue
    }
    try {
      const opened = await place.open()
      const found: FoundCredential | undefined = await opened?.find(registry, repository)
      if (opened === undefined) outcomes.push({ place: label, state: 'absent', reason: absence })
      else if (found === undefined) outcomes.push({ place: opened.label, state: 'no-entry' })
      else {
        const state = isUsed ? 'shadowed' : 'used'
        outcomes.push({ place: opened.label, state, entry: describeCredential(found) })
        isUsed = true
        isOver = !isComplete
      }
    } catch (error) {
      outcomes.push({ place: label, state: 'failed', reason: messageOf(error) })
      isOver = !isOptional && !isUsed
    }
  }
  return outcomes
}

async function listPlace(place: CredentialPlace): Promise<PlaceContent> {
  try {
    const opened = await place.open()
    return { place: opened?.label ?? place.label, entries: (await opened?.list()) ?? [] }
  } catch (error) {
    return { place: place.label, entries: [], reason: messageOf(error) }
  }
}
