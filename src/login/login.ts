import type { Context } from '../content/store.js'
import type { CredentialChain } from '../credentials/credential-lookup.js'
import {
  type Credential,
  type CredentialStore,
  type StoredCredential,
  TOKEN_USER,
} from '../credentials/credential-store.js'
import { serverOf } from '../credentials/registry-keys.js'
import { RegctlError } from '../errors.js'
import type { RegistryClient } from '../registry/client.js'

/** A user name that can't be sent, or an empty password. */
export class LoginError extends RegctlError {}

/** What a login needs. */
export interface LoginOptions {
  client: RegistryClient
  /** Where the login is kept. It is opened before anybody is asked for a password. */
  openStore(): Promise<CredentialStore>
  /**
   * Asks for user name and password, or for an identity token with {@link TOKEN_USER}.
   *
   * @param username who is logged in so far; undefined when nobody is
   */
  ask(username: string | undefined): Promise<StoredCredential>
  /** Tells whether another login goes before the new one; that is not looked into when not given. */
  credentials?: CredentialChain
  /** Keeps the login unchecked where the registry asks for none. */
  force?: boolean | undefined
}

/** How a login ended. */
export type LoginResult =
  | { readonly registry: string; readonly state: 'not-needed' }
  | {
      readonly registry: string
      readonly state: 'stored'
      /** Undefined for an identity token that came without a name. */
      readonly username?: string
      readonly kind: 'password' | 'identity-token'
      /** The registry has accepted it; false when it asked for none. */
      readonly isChecked: boolean
      /** Where it is kept, for messages. */
      readonly store: string
      /** The place whose login the registry gets instead, as it is asked first; undefined when there is none. */
      readonly shadowedBy?: string
    }

/**
 * Logs in to a registry: asks it whether it needs that, tries the login, and only then keeps it. Where the token server
 * gives an identity token for the password, that is kept instead (rule R99).
 *
 * @param registry as in a reference: `docker.io`, `localhost:5000`
 * @throws LoginError of kind `usage` when user name or password can't be sent
 * @throws RegistryError `denied` when the registry refuses it; nothing is kept then
 * @throws CredentialError when the store can't be opened or written
 */
export async function login(registry: string, context: Context, options: LoginOptions): Promise<LoginResult> {
  const server = serverOf(registry)
  let prepared: { store: CredentialStore; given: StoredCredential } | undefined
  const prepare = async () => {
    const store = await options.openStore()
    const known = await store.get(server)
    const given = await options.ask(known?.username === TOKEN_USER ? undefined : known?.username)
    checkCredential(given)
    prepared = { store, given }
    return prepared
  }
  const checked = await options.client.checkLogin(
    registry,
    async () => credentialOf((await prepare()).given),
    context,
  )
  if (checked.outcome === 'not-needed' && options.force !== true) return { registry, state: 'not-needed' }
  const { store, given } = prepared ?? (await prepare())
  const identityToken = checked.outcome === 'accepted' ? checked.identityToken : undefined
  const kept = identityToken === undefined ? given : { username: TOKEN_USER, secret: identityToken }
  await store.store(server, kept)
  const winner = await options.credentials?.explain(registry, undefined, { isComplete: false })
  const used = winner?.find(({ state }) => state === 'used')
  const shadowedBy = used === undefined || used.place === store.label ? undefined : used.place
  return {
    registry,
    state: 'stored',
    ...(given.username !== TOKEN_USER && { username: given.username }),
    kind: kept.username === TOKEN_USER ? 'identity-token' : 'password',
    isChecked: checked.outcome === 'accepted',
    store: store.label,
    ...(shadowedBy !== undefined && { shadowedBy }),
  }
}

/** Rule R222: what would break out of a header, or change its meaning. */
function checkCredential({ username, secret }: StoredCredential): void {
  const isToken = username === TOKEN_USER
  const fail = (what: string) => new LoginError(what, { kind: 'usage', code: 'bad-credential' })
  if (username === '') throw fail('the user name is empty')
  if (!isToken && /[:\x00-\x1f\x7f]/.test(username))
    throw fail('the user name has a colon or a control character, which no registry can take')
  if (secret === '') throw fail(isToken ? 'the identity token is empty' : 'the password is empty')
}

function credentialOf({ username, secret }: StoredCredential): Credential {
  const from = 'this login'
  if (username === TOKEN_USER) return { kind: 'identity-token', token: secret, from }
  return { kind: 'password', username, password: secret, from }
}
