import { CredentialError } from './credential-error.js'
import type { CredentialPlace, FoundCredential, OpenedPlace } from './credential-place.js'
import { type CredentialStore, type StoredCredential, TOKEN_USER } from './credential-store.js'
import { registryOf, serverOf } from './registry-keys.js'

/**
 * The keychain as a place to look credentials up. A system without one is common and passed over; one that is locked
 * or fails is not silently taken for empty.
 */
export function keychainPlace(openKeychain: () => Promise<CredentialStore>): CredentialPlace {
  return {
    label: 'the keychain',
    absence: 'there is none on this system',
    isOptional: true,
    async open() {
      try {
        return storePlace(await openKeychain())
      } catch (error) {
        if (isNoKeychain(error)) return undefined
        throw error
      }
    },
  }
}

/** Whether an error says that the system has no keychain at all. */
export function isNoKeychain(error: unknown): boolean {
  return error instanceof CredentialError && error.code === 'no-keychain'
}

function storePlace(store: CredentialStore): OpenedPlace {
  // Each is asked once: a keychain may have to be unlocked by hand (rule R137).
  const known = new Map<string, Promise<StoredCredential | undefined>>()
  return {
    label: store.label,
    async find(registry) {
      const server = serverOf(registry)
      const asked = known.get(server) ?? store.get(server)
      known.set(server, asked)
      const stored = await asked
      return stored === undefined ? undefined : foundIn(store, server, stored)
    },
    async list() {
      return [...(await store.list())].map(([key, username]) => {
        const registry = registryOf(key)
        return username === TOKEN_USER
          ? { registry, key, kind: 'identity-token' }
          : { registry, key, kind: 'password', username }
      })
    },
  }
}

function foundIn(
  store: CredentialStore,
  key: string,
  { username, secret }: StoredCredential,
): FoundCredential {
  const from = `${store.label} (${key})`
  if (username === TOKEN_USER) return { credential: { kind: 'identity-token', token: secret, from }, key }
  return { credential: { kind: 'password', username, password: secret, from }, key }
}
