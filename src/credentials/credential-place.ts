import type { Credential } from './credential-store.js'
import { registryOf } from './registry-keys.js'

/** One of the places where credentials are looked up. Nothing is read before it is opened. */
export interface CredentialPlace {
  /** For messages, until it is open: `DOCKER_AUTH_CONFIG`, a path. */
  readonly label: string
  /** What to say of it when there is nothing to open: `not set`, `no such file`. */
  readonly absence: string
  /** When it fails, that is told in a warning and the next place is asked; otherwise the look-up ends there. */
  readonly isOptional: boolean
  /** @returns undefined when it is not there */
  open(): Promise<OpenedPlace | undefined>
}

/** A place that is there. */
export interface OpenedPlace {
  /** For messages. */
  readonly label: string
  /** @param repository for places that keep credentials by namespace */
  find(registry: string, repository?: string): Promise<FoundCredential | undefined>
  /** What is kept there, as far as that can be told without asking a helper. */
  list(): Promise<readonly PlaceEntry[]>
}

/** A credential with where exactly it was. */
export interface FoundCredential {
  readonly credential: Credential
  /** The name of the entry, as it is written there. */
  readonly key: string
  /** The program that answered; undefined when it was in the place itself. */
  readonly helper?: string
}

/** One entry of a place, without its secret. */
export interface PlaceEntry {
  /** The registry, or the part of it, that it is for: `docker.io`, `quay.io/acme`. */
  readonly registry: string
  /** As it is written there. */
  readonly key: string
  /** `helper`: a program is asked for it. */
  readonly kind: Credential['kind'] | 'helper'
  /** Undefined for tokens, and where only a helper knows it. */
  readonly username?: string
  /** The program that is asked. */
  readonly helper?: string
}

/**
 * An entry as it may be shown.
 *
 * @param registry what it is for, where the place has keys for parts of registries
 */
export function describeCredential(
  { credential, key, helper }: FoundCredential,
  registry = registryOf(key),
): PlaceEntry & { kind: Credential['kind'] } {
  return {
    registry,
    key,
    kind: credential.kind,
    ...(credential.kind === 'password' && { username: credential.username }),
    ...(helper !== undefined && { helper }),
  }
}
