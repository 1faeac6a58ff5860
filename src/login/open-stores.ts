import { ConfigFileStore } from '../credentials/config-file-store.js'
import type { CredentialStore } from '../credentials/credential-store.js'
import { dockerConfigPath } from '../credentials/docker-config.js'
import { isNoKeychain } from '../credentials/store-place.js'

/** Where a login can be kept: in the keychain of the system, or in plain text in Docker's config.json. */
export type StoreKind = 'keychain' | 'file'

/** What stores are opened with. */
export interface StoreOptions {
  /** Says where config.json is. */
  environment: NodeJS.ProcessEnv
  openKeychain(): Promise<CredentialStore>
  /** Takes one line about an entry of config.json that is no good, or one that Docker will not look at. */
  warn(message: string): void
}

/** @throws CredentialError `no-keychain` when that is asked for, and there is none */
export async function openStore(
  kind: StoreKind,
  { environment, openKeychain, warn }: StoreOptions,
): Promise<CredentialStore> {
  return kind === 'keychain'
    ? await openKeychain()
    : new ConfigFileStore(dockerConfigPath(environment), { warn })
}

/**
 * Opens every store that there is.
 *
 * @param kind only this one, which then has to be there
 */
export async function openStores(
  kind: StoreKind | undefined,
  options: StoreOptions,
): Promise<CredentialStore[]> {
  if (kind !== undefined) return [await openStore(kind, options)]
  const file = await openStore('file', options)
  try {
    return [await options.openKeychain(), file]
  } catch (error) {
    if (isNoKeychain(error)) return [file]
    throw error
  }
}
