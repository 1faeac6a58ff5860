import { parseReference } from '../content/reference.js'
import type { CredentialChain, PlaceOutcome } from '../credentials/credential-lookup.js'
import type { PlaceEntry } from '../credentials/credential-place.js'
import { registryOf } from '../credentials/registry-keys.js'
import { parseRegistry } from '../open/parse-registry.js'

/** A login that is kept somewhere, without its secret. */
export interface AuthEntry extends PlaceEntry {
  /** Where it is kept: `DOCKER_AUTH_CONFIG`, `the keychain (Secret Service)`, a path. */
  readonly place: string
  /** Whether it is used for its registry, or a place that is asked before has one too. */
  readonly state: 'used' | 'shadowed'
}

/** Every login that there is. */
export interface AuthList {
  readonly entries: readonly AuthEntry[]
  /** Places that can't be read, each with the reason in words. */
  readonly failures: readonly { readonly place: string; readonly reason: string }[]
}

/** Lists the logins of every place where they are looked up, in the order of the look-up. No helper is asked. */
export async function listAuthEntries(credentials: CredentialChain): Promise<AuthList> {
  const contents = await credentials.list()
  const entries: AuthEntry[] = []
  for (const { place, entries: found } of contents) {
    const before = entries.map(({ registry }) => registry)
    const here = new Set<string>()
    for (const entry of found) {
      const isShadowed = here.has(entry.registry) || before.some(earlier => covers(earlier, entry.registry))
      entries.push({ ...entry, place, state: isShadowed ? 'shadowed' : 'used' })
      here.add(entry.registry)
    }
  }
  const failures = contents.flatMap(({ place, reason }) => (reason === undefined ? [] : [{ place, reason }]))
  return { entries, failures }
}

/** The login of a registry goes before those for its parts that are in a later place. */
function covers(earlier: string, registry: string): boolean {
  return registry === earlier || registry.startsWith(`${earlier}/`)
}

/** Which login a registry or repository gets, and why. */
export interface AuthExplanation {
  readonly registry: string
  /** Undefined when the question was about the registry as a whole. */
  readonly repository?: string
  /** Every place in the order of the look-up. */
  readonly places: readonly PlaceOutcome[]
}

/**
 * Asks every place for the login of an image or a registry, and tells what each said.
 *
 * @param text a reference, or a registry: `ghcr.io`, `localhost:5000`; with a `/` at the end it is a registry in any case
 * @throws ContentError `bad-reference`
 */
export async function explainAuth(text: string, credentials: CredentialChain): Promise<AuthExplanation> {
  const { registry, repository } = parseSubject(text)
  const places = await credentials.explain(registry, repository)
  return { registry, ...(repository !== undefined && { repository }), places }
}

function parseSubject(text: string): { registry: string; repository?: string } {
  // A name alone is an image of Docker Hub, unless it can only be a host.
  const isRegistry = /^[^/@]+\/$/.test(text) || /^(?:[^/:@]+\.[^/:@]+|localhost|\[.*\])(?::\d+)?$/.test(text)
  if (isRegistry) return { registry: registryOf(parseRegistry(text)) }
  const { registry, repository } = parseReference(text)
  return { registry, repository }
}
