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

/** Asks each look-up in turn; the first that knows something wins. */
export function chainLookups(lookups: readonly CredentialLookup[]): CredentialLookup {
  return {
    async find(registry, repository) {
      for (const lookup of lookups) {
        const credential = await lookup.find(registry, repository)
        if (credential !== undefined) return credential
      }
      return undefined
    },
  }
}
