import type { CredentialLookup } from '../credentials/credential-store.js'
import { type Challenge, chooseChallenge, parseChallenges } from './challenge.js'
import { clockHint } from './clock-hint.js'
import { sanitize } from './error-body.js'
import { RegistryError, waysToLogIn } from './registry-error.js'
import { coversScopes, mergeScopes, type Scope, widerScopes } from './scope.js'
import type { Secrets } from './secrets.js'
import { headerValues, type RegistryRequest, type RegistryResponse, type Send } from './send.js'
import { basicHeader, fetchToken, type Token } from './token.js'
import { TokenSession } from './token-session.js'
import { isSameOrigin, type UrlPolicy } from './urls.js'

/** Without credentials, with a token, and with one that holds more: a server that asks for ever more ends here. */
const MAXIMUM_SENDS = 3
const PING_LIMIT_BYTES = 64 * 1024

/** What an {@link Authenticator} works with. */
export interface AuthenticatorOptions {
  credentials: CredentialLookup
  policy: UrlPolicy
  /** Gets every credential and token before it is used, so that nobody shows it. */
  secrets: Secrets
  /** Our clock, in milliseconds since 1970. */
  now: () => number
}

/** What goes with a request. */
interface Authorization {
  header: string
  /** Undefined for Basic. */
  token?: Token
  /** It was got for this very request, so that the same again would not help. */
  isFresh: boolean
}

/** A challenge with the URL that it came from. */
interface Challenged {
  challenge: Challenge
  url: URL
}

/**
 * Answers challenges (rules R88 to R110). Credentials go to the origin of the registry that the user named; neither a
 * redirect nor an upload location elsewhere gets them, nor starts a login (rules R209, R211).
 *
 * A token is looked after before each request, so that it never runs out within one (rule R109). A 401 all the same has
 * the request sent again, its body opened anew; that costs none of its attempts (rule R108).
 */
export class Authenticator {
  readonly #next: Send
  readonly #options: AuthenticatorOptions
  readonly #challenges = new Map<string, Challenged>()
  /** By origin and credential. */
  readonly #sessions = new Map<string, TokenSession>()
  /** By origin and repository. */
  readonly #found = new Map<string, Promise<TokenSession>>()

  constructor(next: Send, options: AuthenticatorOptions) {
    this.#next = next
    this.#options = options
  }

  readonly send: Send = async request => {
    const { base } = request.endpoint
    if (!isSameOrigin(request.url, base) || request.isForeign === true) return await this.#next(request)
    let scopes = mergeScopes(request.scopes)
    let challenged = this.#challenges.get(base.origin)
    for (let sent = 1; ; sent++) {
      // Credentials are looked up when a challenge came, and not before: a public registry wakes no keychain.
      const former = challenged === undefined ? undefined : await this.#sessionFor(request)
      const authorization = former && (await this.#authorize(request, former, challenged, scopes))
      const response = await this.#next(withHeader(request, authorization))
      const credentialFrom = authorization === undefined ? undefined : former?.credential?.from
      if (response.status !== 401 || !isSameOrigin(response.url, base)) return { ...response, credentialFrom }

      const found = await this.#challengeOf(response, request, challenged)
      const session = found && (await this.#sessionFor(request))
      const asked = found === undefined ? scopes : widerScopes(scopes, scopesOf(found))
      const isWider = !coversScopes(scopes, asked) || isElsewhere(found, challenged)
      const mayHelp = session !== undefined && isWorthAnother(found, authorization, isWider, session)
      if (!mayHelp || sent >= MAXIMUM_SENDS) {
        const hint = clockHint(response, authorization?.token, request, this.#options.now())
        return { ...response, credentialFrom, ...(hint !== undefined && { hint }) }
      }
      if (authorization?.token !== undefined) {
        const isShort = found?.challenge.parameters.get('error') === 'insufficient_scope'
        session.refuse(authorization.token, isShort ? request.scopes : undefined)
      }
      if (found !== undefined) this.#challenges.set(base.origin, found)
      scopes = asked
      challenged = found
    }
  }

  #sessionFor(request: RegistryRequest): Promise<TokenSession> {
    const { origin } = request.endpoint.base
    const { resource = '' } = request.scopes[0] ?? {}
    const key = `${origin} ${resource}`
    const known = this.#found.get(key)
    if (known !== undefined) return known
    // What concerns the registry as a whole, as its catalog does, goes by the credentials for the host.
    const name = /^repository:(.+)$/.exec(resource)?.[1]
    const found = this.#openSession(origin, request.endpoint.registry, name)
    this.#found.set(key, found)
    found.catch(() => this.#found.delete(key))
    return found
  }

  /** Repositories that have the same credential share its tokens. */
  async #openSession(origin: string, registry: string, repository?: string): Promise<TokenSession> {
    const { credentials, policy, secrets, now } = this.#options
    const credential = await credentials.find(registry, repository)
    const key = JSON.stringify([origin, credential])
    const known = this.#sessions.get(key)
    if (known !== undefined) return known
    if (credential !== undefined) secrets.addCredential(credential)
    const session = new TokenSession(
      credential,
      async wanted => {
        const token = await fetchToken(this.#next, policy, now, wanted)
        for (const secret of [token.value, token.refreshToken ?? '']) secrets.add(secret)
        return token
      },
      now,
    )
    this.#sessions.set(key, session)
    return session
  }

  async #authorize(
    request: RegistryRequest,
    session: TokenSession,
    challenged: Challenged | undefined,
    scopes: readonly Scope[],
  ): Promise<Authorization | undefined> {
    const { credential } = session
    if (challenged === undefined) return undefined
    const { challenge, url } = challenged
    if (challenge.scheme === 'basic') {
      if (credential?.kind !== 'password') return undefined
      return { header: basicHeader(credential, { request }), isFresh: true }
    }
    const { token, isFresh } = await session.get({ challenge, challengedUrl: url, scopes, request })
    return { header: `Bearer ${token.value}`, token, isFresh }
  }

  /**
   * The challenge of a 401. One without any is asked for by a ping (rule R3); a Basic after a Bearer means a token with
   * too little in it, not another scheme (rule R93).
   *
   * @throws RegistryError `unknown-challenge` when there is one, and none that can be answered (rule R88)
   */
  async #challengeOf(
    response: RegistryResponse,
    request: RegistryRequest,
    former: Challenged | undefined,
  ): Promise<Challenged | undefined> {
    const headers = headerValues(response, 'www-authenticate')
    const challenge = chooseChallenge(parseChallenges(headers))
    if (challenge?.scheme === 'basic' && former?.challenge.scheme === 'bearer') return former
    if (challenge !== undefined) return { challenge, url: response.url }
    if (former !== undefined) return former
    if (headers.some(header => header.trim() !== '')) throw unknownChallenge(request, response, headers)
    return await this.#ping(request)
  }

  async #ping(request: RegistryRequest): Promise<Challenged | undefined> {
    const url = new URL('/v2/', request.endpoint.base)
    const { body: _body, ...rest } = request
    const asked = { ...rest, method: 'GET', url, headers: {}, collectLimitBytes: PING_LIMIT_BYTES } as const
    const ping = await this.#next(asked)
    const pinged = chooseChallenge(parseChallenges(headerValues(ping, 'www-authenticate')))
    if (pinged === undefined || !isSameOrigin(ping.url, request.endpoint.base)) return undefined
    // The scope of a ping is a placeholder (rule R91).
    const parameters = new Map([...pinged.parameters].filter(([name]) => name !== 'scope'))
    return { challenge: { ...pinged, parameters }, url: ping.url }
  }
}

/** Whether a refused request has something to gain from another authorization (rule R108). */
function isWorthAnother(
  found: Challenged | undefined,
  authorization: Authorization | undefined,
  isWider: boolean,
  { credential }: TokenSession,
): boolean {
  if (found === undefined) return false
  const isBasic = found.challenge.scheme === 'basic'
  if (isBasic) return authorization === undefined && credential?.kind === 'password'
  if (authorization === undefined) return true
  // A registry token is what it is.
  return credential?.kind !== 'registry-token' && (isWider || !authorization.isFresh)
}

/** Whether a challenge names another token server, or another service at it, than the one before. */
function isElsewhere(found: Challenged | undefined, former: Challenged | undefined): boolean {
  return ['realm', 'service'].some(
    name => found?.challenge.parameters.get(name) !== former?.challenge.parameters.get(name),
  )
}

function scopesOf({ challenge }: Challenged): string {
  return challenge.parameters.get('scope') ?? ''
}

function unknownChallenge(
  request: RegistryRequest,
  response: RegistryResponse,
  headers: readonly string[],
): RegistryError {
  return new RegistryError(request.operation, {
    kind: 'denied',
    code: 'unknown-challenge',
    method: request.method,
    url: response.url,
    status: response.status,
    reason: 'the registry asks for a login that regctl does not know',
    outcome: `answered ${response.status} with WWW-Authenticate: ${sanitize(headers.join(', ')).slice(0, 200)}`,
    hint: waysToLogIn(request.endpoint.registry),
  })
}

function withHeader(request: RegistryRequest, authorization: Authorization | undefined): RegistryRequest {
  if (authorization === undefined) return request
  return { ...request, headers: { ...request.headers, authorization: authorization.header } }
}
