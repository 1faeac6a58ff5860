import type { CredentialChain } from '../credentials/credential-lookup.js'
import type { PlaceEntry } from '../credentials/credential-place.js'
import type { CredentialStore } from '../credentials/credential-store.js'
import { registryOf, serverOf } from '../credentials/registry-keys.js'

/** What a logout works on. */
export interface LogoutOptions {
  /** The stores that entries are removed from. */
  stores: readonly CredentialStore[]
  /** Tells which logins remain. It must not have been asked before, as it remembers. */
  credentials: CredentialChain
}

/** What became of the logins of one registry. */
export interface LogoutResult {
  readonly registry: string
  /** Where an entry was removed, for messages; empty when there was none. */
  readonly removedFrom: readonly string[]
  /** Logins that are still there: in places that this tool reads, and does not change. */
  readonly remaining: readonly { readonly place: string; readonly entry: PlaceEntry }[]
}

/**
 * Removes the logins of a registry, under each of its names (rule R132), from the stores.
 *
 * @param registry as in a reference: `docker.io`, `localhost:5000`
 * @throws CredentialError when a store can't be read or written
 */
export async function logout(
  registry: string,
  { stores, credentials }: LogoutOptions,
): Promise<LogoutResult> {
  const removedFrom: string[] = []
  for (const store of stores) {
    if (await store.erase(serverOf(registry))) removedFrom.push(store.label)
  }
  const remaining = (await credentials.explain(registry)).flatMap(({ place, entry }) =>
    entry === undefined ? [] : [{ place, entry }],
  )
  return { registry, removedFrom, remaining }
}

/**
 * Removes every login from the stores.
 *
 * @returns the registries that had one, in the order of their names
 */
export async function logoutAll(options: LogoutOptions): Promise<LogoutResult[]> {
  const keys = (await Promise.all(options.stores.map(store => store.list()))).flatMap(list => [
    ...list.keys(),
  ])
  const results: LogoutResult[] = []
  for (const registry of [...new Set(keys.map(registryOf))].sort()) {
    results.push(await logout(registry, options))
  }
  return results
}
