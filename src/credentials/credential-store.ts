/**
 * What a registry is convinced with. `from` says where it was found (`--username`, `DOCKER_AUTH_CONFIG`, a file), so
 * that a refusal can name the entry (rule R110).
 *
 * - `password`: user name and password, or a personal token in the password's place
 * - `identity-token`: a refresh token, exchanged for access tokens at the registry's token server (rule R97)
 * - `registry-token`: sent as it is in `Authorization: Bearer` (rule R126)
 */
export type Credential =
  | { kind: 'password'; username: string; password: string; from: string }
  | { kind: 'identity-token'; token: string; from: string }
  | { kind: 'registry-token'; token: string; from: string }

/** Finds credentials. One look-up serves every request of a run. */
export interface CredentialLookup {
  /**
   * @param registry `host` or `host:port` as in a reference; `docker.io` for Docker Hub
   * @param repository the full name; for places that keep credentials by namespace
   * @returns undefined when there are none: the registry is then asked anonymously
   */
  find(registry: string, repository?: string): Promise<Credential | undefined>
}

/** A look-up that never finds anything. */
export const anonymous: CredentialLookup = { find: async () => undefined }

/** A secret as stores keep it, in the words of Docker's credential helpers. */
export interface StoredCredential {
  /** {@link TOKEN_USER} when the secret is an identity token (rule R126). */
  username: string
  secret: string
}

/** The user name that stands for an identity token in the secret's place. */
export const TOKEN_USER = '<token>'

/**
 * Somewhere to keep credentials beyond the run: the keychain of the system, or Docker's config.json. Entries are known by
 * their server string: `host[:port]`, or for Docker Hub `https://index.docker.io/v1/` (rule R134). Two processes may
 * change a store at the same time, and neither loses what the other one did.
 */
export interface CredentialStore {
  /** For messages: `the keychain (Secret Service)`, or a path. */
  readonly label: string

  /** @returns undefined when there is no such entry */
  get(server: string): Promise<StoredCredential | undefined>

  /** Keeps a credential, in the place of one that is there. */
  store(server: string, credential: StoredCredential): Promise<void>

  /** Removes an entry; false when there was none. */
  erase(server: string): Promise<boolean>

  /** The user name of each server. */
  list(): Promise<ReadonlyMap<string, string>>
}
