import type { Credential, CredentialLookup } from '../credentials/credential-store.js'
import { type Challenge, chooseChallenge, parseChallenges } from './challenge.js'
import { coversScopes, formatScope, mergeScopes, parseScopes, type Scope } from './scope.js'
import { headerValues, type RegistryRequest, type RegistryResponse, type Send } from './send.js'
import { basicHeader, fetchToken, type Token } from './token.js'
import { isSameOrigin, type UrlPolicy } from './urls.js'

/** Without credentials, with a token, and with one that holds more: a server that asks for ever more ends here. */
const MAXIMUM_SENDS = 3

/** What is known about authenticating for one repository of one registry. */
interface Session {
  /** Looked up when a challenge came, and not again: a public registry wakes no keychain. */
  credential(): Promise<Credential | undefined>
  tokens: Token[]
  /** Token requests under way, by their scopes (rule R102). */
  pending: Map<string, Promise<Token>>
}

/** What goes with a request. */
interface Authorization {
  header: string
  scopes: readonly Scope[]
  /** It was got for this very request, so that the same again would not help. */
  isFresh: boolean
}

/** A challenge with the URL that it came from. */
interface Challenged {
  challenge: Challenge
  url: URL
}

/**
 * Answers challenges (rules R88 to R108). Credentials go to the origin of the registry that the user named; neither a
 * redirect nor an upload location elsewhere gets them, nor starts a login (rules R209, R211).
 */
export class Authenticator {
  readonly #next: Send
  readonly #credentials: CredentialLookup
  readonly #policy: UrlPolicy
  readonly #now: () => number
  readonly #challenges = new Map<string, Challenged>()
  readonly #sessions = new Map<string, Session>()

  constructor(next: Send, credentials: CredentialLookup, policy: UrlPolicy, now: () => number = Date.now) {
    this.#next = next
    this.#credentials = credentials
    this.#policy = policy
    this.#now = now
  }

  readonly send: Send = async request => {
    if (!isSameOrigin(request.url, request.endpoint.base)) return await this.#next(request)
    let scopes = mergeScopes(request.scopes)
    let challenged = this.#challenges.get(request.endpoint.base.origin)
    for (let sent = 1; ; sent++) {
      const session = this.#session(request)
      const authorization = await this.#authorize(request, session, challenged, scopes)
      const response = await this.#next(withHeader(request, authorization))
      const credentialFrom = authorization === undefined ? undefined : (await session.credential())?.from
      const answered = { ...response, credentialFrom }
      if (response.status !== 401 || !isSameOrigin(response.url, request.endpoint.base)) return answered

      const found = await this.#challengeOf(response, request, challenged)
      if (found === undefined) return answered
      const wider = mergeScopes(scopes, parseScopes(found.challenge.parameters.get('scope') ?? ''))
      const asksMore = found.challenge.scheme === 'bearer' && !coversScopes(scopes, wider)
      const mayHelp =
        sent < MAXIMUM_SENDS && (authorization === undefined || asksMore || !authorization.isFresh)
      const isBasic = found.challenge.scheme === 'basic'
      if (!mayHelp || (isBasic && (await session.credential())?.kind !== 'password')) return answered
      if (authorization !== undefined) forget(session, authorization)
      this.#challenges.set(request.endpoint.base.origin, found)
      scopes = wider
      challenged = found
    }
  }

  #session(request: RegistryRequest): Session {
    const { registry, base } = request.endpoint
    const { resource = '' } = request.scopes[0] ?? {}
    const key = `${base.origin} ${resource}`
    const known = this.#sessions.get(key)
    if (known !== undefined) return known
    // What concerns the registry as a whole, as its catalog does, goes by the credentials for the host.
    const repository = /^repository:(.+)$/.exec(resource)?.[1]
    let found: Promise<Credential | undefined> | undefined
    const credential = () => (found ??= this.#credentials.find(registry, repository))
    const session: Session = { credential, tokens: [], pending: new Map() }
    this.#sessions.set(key, session)
    return session
  }

  async #authorize(
    request: RegistryRequest,
    session: Session,
    challenged: Challenged | undefined,
    scopes: readonly Scope[],
  ): Promise<Authorization | undefined> {
    if (challenged === undefined) return undefined
    if (challenged.challenge.scheme === 'basic') {
      const credential = await session.credential()
      if (credential?.kind !== 'password') return undefined
      return { header: basicHeader(credential, { request }), scopes, isFresh: true }
    }
    const held = session.tokens.find(
      token => token.renewAt > this.#now() && coversScopes(token.scopes, scopes),
    )
    const token = held ?? (await this.#newToken(request, session, challenged, scopes))
    return { header: `Bearer ${token.value}`, scopes, isFresh: held === undefined }
  }

  async #newToken(
    request: RegistryRequest,
    session: Session,
    { challenge, url }: Challenged,
    scopes: readonly Scope[],
  ): Promise<Token> {
    const key = scopes.map(formatScope).join(' ')
    const pending = session.pending.get(key)
    if (pending !== undefined) return await pending
    const fetching = session.credential().then(credential => {
      const wanted = { challenge, challengedUrl: url, scopes, credential, request }
      return fetchToken(this.#next, this.#policy, this.#now, wanted)
    })
    session.pending.set(key, fetching)
    try {
      const token = await fetching
      session.tokens = [token, ...session.tokens.filter(other => other.renewAt > this.#now())]
      return token
    } finally {
      session.pending.delete(key)
    }
  }

  /**
   * The challenge of a 401. One without any is asked for by a ping (rule R3); a Basic after a Bearer means a token with
   * too little in it, not another scheme (rule R93).
   */
  async #challengeOf(
    response: RegistryResponse,
    request: RegistryRequest,
    former: Challenged | undefined,
  ): Promise<Challenged | undefined> {
    const challenge = chooseChallenge(parseChallenges(headerValues(response, 'www-authenticate')))
    if (challenge?.scheme === 'basic' && former?.challenge.scheme === 'bearer') return former
    if (challenge !== undefined) return { challenge, url: response.url }
    if (former !== undefined) return former
    const url = new URL('/v2/', request.endpoint.base)
    const { body: _body, collectLimitBytes: _limit, ...rest } = request
    const ping = await this.#next({ ...rest, method: 'GET', url, headers: {}, collectLimitBytes: 64 * 1024 })
    const pinged = chooseChallenge(parseChallenges(headerValues(ping, 'www-authenticate')))
    if (pinged === undefined || !isSameOrigin(ping.url, request.endpoint.base)) return undefined
    // The scope of a ping is a placeholder (rule R91).
    const parameters = new Map([...pinged.parameters].filter(([name]) => name !== 'scope'))
    return { challenge: { ...pinged, parameters }, url: ping.url }
  }
}

function withHeader(request: RegistryRequest, authorization: Authorization | undefined): RegistryRequest {
  if (authorization === undefined) return request
  return { ...request, headers: { ...request.headers, authorization: authorization.header } }
}

function forget(session: Session, authorization: Authorization): void {
  session.tokens = session.tokens.filter(token => `Bearer ${token.value}` !== authorization.header)
}
