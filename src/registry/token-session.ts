import type { Credential } from '../credentials/credential-store.js'
import { InterruptedError, RegctlError } from '../errors.js'
import { coversScopes, formatScope, type Scope } from './scope.js'
import type { Token, TokenRequest } from './token.js'

/** A token for a request. */
export interface ObtainedToken {
  readonly token: Token
  /** It was asked for just now, so that another would be no better. */
  readonly isFresh: boolean
}

/** Asks a token server. */
export type FetchToken = (wanted: TokenRequest) => Promise<Token>

/**
 * The tokens that one credential (or none) has got at one registry. A token serves every repository that it was asked
 * for, and what is asked for at the same time is asked once (rules R102, R109).
 */
export class TokenSession {
  readonly credential: Credential | undefined
  readonly #fetch: FetchToken
  readonly #now: () => number
  #held: { realm: string; token: Token; scopes: readonly Scope[] }[] = []
  readonly #pending = new Map<string, Promise<Token>>()
  readonly #refused = new Map<string, RegctlError>()
  /** The identity tokens that token servers gave in exchange, by realm: the former may be worth nothing any more. */
  readonly #renewed = new Map<string, string>()

  constructor(credential: Credential | undefined, fetch: FetchToken, now: () => number) {
    this.credential = credential
    this.#fetch = fetch
    this.#now = now
  }

  /**
   * A token that is not about to run out (rule R96): the one with the least rights that will do, else a new one.
   *
   * @throws RegistryError when the token server refuses; asked for the same again, it is not bothered (rule R101)
   */
  async get(wanted: Omit<TokenRequest, 'credential'>): Promise<ObtainedToken> {
    const realm = realmKey(wanted)
    this.#held = this.#held.filter(({ token }) => token.renewAt > this.#now())
    const fitting = this.#held
      .filter(held => held.realm === realm && coversScopes(held.scopes, wanted.scopes))
      .sort((one, other) => one.scopes.length - other.scopes.length)
    const best = fitting[0]
    if (best !== undefined) return { token: best.token, isFresh: false }
    const key = `${realm} ${wanted.scopes.map(formatScope).join(' ')}`
    const refusal = this.#refused.get(key)
    if (refusal !== undefined) throw refusal
    return { token: await this.#obtain(key, realm, wanted), isFresh: true }
  }

  async #obtain(key: string, realm: string, wanted: Omit<TokenRequest, 'credential'>): Promise<Token> {
    const pending = this.#pending.get(key)
    if (pending !== undefined) {
      try {
        return await pending
      } catch (error) {
        // The request that asked may have been given up while this one goes on.
        if (!(error instanceof InterruptedError) || wanted.request.context.signal.aborted) throw error
        return await this.#obtain(key, realm, wanted)
      }
    }
    const fetching = this.#fetch({ ...wanted, credential: this.#credentialFor(realm) })
    this.#pending.set(key, fetching)
    try {
      const token = await fetching
      if (token.refreshToken !== undefined) this.#renewed.set(realm, token.refreshToken)
      this.#held.push({ realm, token, scopes: wanted.scopes })
      return token
    } catch (error) {
      if (error instanceof RegctlError && error.kind === 'denied') this.#refused.set(key, error)
      throw error
    } finally {
      this.#pending.delete(key)
    }
  }

  /** A token server that gave a new identity token for the old one gets that (rule R99). */
  #credentialFor(realm: string): Credential | undefined {
    const token = this.#renewed.get(realm)
    return this.credential?.kind === 'identity-token' && token !== undefined
      ? { ...this.credential, token }
      : this.credential
  }

  /**
   * A registry did not take a token: it is not used again for these scopes, or not at all.
   *
   * @param lacking what it turned out not to allow (rule R100); undefined when the token itself is no good
   */
  refuse(token: Token, lacking: readonly Scope[] | undefined): void {
    this.#held = this.#held.flatMap(held => {
      if (held.token !== token) return [held]
      if (lacking === undefined) return []
      const scopes = held.scopes.filter(scope => !lacking.some(other => other.resource === scope.resource))
      return scopes.length === 0 ? [] : [{ ...held, scopes }]
    })
  }
}

function realmKey({ challenge }: Pick<TokenRequest, 'challenge'>): string {
  const { parameters } = challenge
  return JSON.stringify([parameters.get('realm'), parameters.get('service')])
}
