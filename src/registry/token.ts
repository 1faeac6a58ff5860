import { ContentError } from '../content/content-error.js'
import { parseJsonObject } from '../content/manifest.js'
import type { Credential } from '../credentials/credential-store.js'
import type { Challenge } from './challenge.js'
import { clockAhead } from './clock-hint.js'
import { readErrorBody } from './error-body.js'
import { RegistryError, waysToLogIn } from './registry-error.js'
import { formatScope, type Scope } from './scope.js'
import { isSuccess, type RegistryRequest, type RegistryResponse, type Send } from './send.js'
import { appendQuery, resolveServerUrl, UnsafeUrlError, type UrlPolicy } from './urls.js'

const TOKEN_LIMIT_BYTES = 1024 * 1024
const SHORTEST_LIFE_SECONDS = 60
/** What a server claims beyond this is not relied on. */
const LONGEST_LIFE_SECONDS = 24 * 60 * 60
const CLIENT_ID = 'regctl'

/** A bearer token. */
export interface Token {
  readonly value: string
  /** When to get a new one, in milliseconds since 1970 by our own clock (rule R96). */
  readonly renewAt: number
  /** Who gave it, and by how much their clock is ahead of ours; undefined when they didn't tell. */
  readonly server: { readonly host: string; readonly aheadMs: number | undefined }
  /** What to exchange the next time in place of an identity token; undefined when that stays as it is. */
  readonly refreshToken?: string
}

/** What a token is asked with. */
export interface TokenRequest {
  readonly challenge: Challenge
  /** The URL that answered with the challenge: a realm may be relative to it. */
  readonly challengedUrl: URL
  readonly scopes: readonly Scope[]
  readonly credential: Credential | undefined
  /** The request that needs the token. */
  readonly request: RegistryRequest
}

/**
 * Gets a token from the token server that a challenge names (distribution's token authentication; rules R92 to R101).
 * An identity token is exchanged by POST, and there is no other way. All else goes by GET, which every token server but
 * a few knows, with Basic when there is a password; where GET is unknown the password goes by POST (rule R98).
 *
 * A token that renews itself is never asked for (rule R99).
 *
 * @param send without authentication of its own
 * @throws RegistryError `denied` when the token server refuses, `unsafe-url` when its address is not one to trust
 */
export async function fetchToken(
  send: Send,
  policy: UrlPolicy,
  now: () => number,
  wanted: TokenRequest,
): Promise<Token> {
  const { credential, scopes } = wanted
  if (credential?.kind === 'registry-token') {
    const server = { host: wanted.request.url.host, aheadMs: undefined }
    return { value: headerSafe(credential.token, wanted), renewAt: Number.POSITIVE_INFINITY, server }
  }
  const realm = realmOf(wanted, policy)
  const variants = scopeVariants(scopes)
  for (const [position, variant] of variants.entries()) {
    const { request, response } = await askForToken(send, realm, { ...wanted, scopes: variant })
    if (isSuccess(response.status)) return readToken(response, wanted, now())
    // Quay answers 400 to the action "delete" (rule R120): another spelling may do.
    const mayHelp = response.status === 400 && position + 1 < variants.length
    if (!mayHelp) throw refusal(request, response, wanted)
  }
  throw new Error('unreachable: there is always one variant')
}

/** The ways to say what is wanted. Only the right to delete has several. */
function scopeVariants(scopes: readonly Scope[]): (readonly Scope[])[] {
  if (!scopes.some(scope => scope.actions.includes('delete'))) return [scopes]
  const withActions = (actions: string[]) => scopes.map(({ resource }) => ({ resource, actions }))
  return [scopes, withActions(['*']), withActions(['pull', 'push'])]
}

async function askForToken(
  send: Send,
  realm: URL,
  wanted: TokenRequest,
): Promise<{ request: RegistryRequest; response: RegistryResponse }> {
  const { credential } = wanted
  const first =
    credential?.kind === 'identity-token'
      ? formRequest(realm, wanted, { grant_type: 'refresh_token', refresh_token: credential.token })
      : queryRequest(realm, wanted)
  const response = await exchange(send, first, wanted)
  const isUnknown = response.status === 404 || response.status === 405
  if (credential?.kind !== 'password' || !isUnknown) return { request: first, response }
  const { username, password } = credential
  const second = formRequest(realm, wanted, { grant_type: 'password', username, password })
  return { request: second, response: await exchange(send, second, wanted) }
}

/** The answer of a token server, which has its own limit (rule R236). */
async function exchange(
  send: Send,
  request: RegistryRequest,
  wanted: TokenRequest,
): Promise<RegistryResponse> {
  try {
    return await send(request)
  } catch (error) {
    if (!(error instanceof ContentError)) throw error
    throw badReply({ url: request.url, status: 200 }, wanted, 'answered with more than 1 MiB')
  }
}

/** The GET form of distribution's token authentication. */
function queryRequest(realm: URL, wanted: TokenRequest): RegistryRequest {
  const { challenge, scopes, credential } = wanted
  const service = challenge.parameters.get('service')
  let url = service === undefined ? realm : appendQuery(realm, 'service', service)
  for (const scope of scopes) url = appendQuery(url, 'scope', formatScope(scope))
  url = appendQuery(url, 'client_id', CLIENT_ID)
  const authorization =
    credential?.kind === 'password' ? { authorization: basicHeader(credential, wanted) } : {}
  return {
    ...commonOf(wanted),
    method: 'GET',
    url,
    headers: { accept: 'application/json', ...authorization },
  }
}

/** The POST form, OAuth 2: the scopes in one parameter, joined by spaces (rule R97). */
function formRequest(realm: URL, wanted: TokenRequest, grant: Record<string, string>): RegistryRequest {
  const { challenge, scopes } = wanted
  const service = challenge.parameters.get('service')
  const form = new URLSearchParams({
    ...grant,
    client_id: CLIENT_ID,
    ...(service !== undefined && { service }),
    ...(scopes.length > 0 && { scope: scopes.map(formatScope).join(' ') }),
  })
  const bytes = Buffer.from(form.toString())
  return {
    ...commonOf(wanted),
    method: 'POST',
    url: realm,
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: { length: bytes.length, open: async () => bytes },
    secretBody: true,
  }
}

function commonOf({ request }: TokenRequest) {
  const { operation, endpoint, context, movesOn = false } = request
  return { operation, endpoint, context, movesOn, scopes: [], collectLimitBytes: TOKEN_LIMIT_BYTES }
}

function realmOf({ challenge, challengedUrl, request }: TokenRequest, policy: UrlPolicy): URL {
  try {
    const realm = challenge.parameters.get('realm') ?? ''
    return resolveServerUrl(realm, challengedUrl, request.endpoint, 'realm', policy)
  } catch (error) {
    if (!(error instanceof UnsafeUrlError)) throw error
    throw new RegistryError(request.operation, {
      kind: 'network',
      code: 'unsafe-url',
      method: request.method,
      url: request.url,
      outcome: `sends logins to a place that is not trusted: ${error.message}`,
    })
  }
}

/** The Authorization header for a user name and password, which may hold anything (rules R118, R222). */
export function basicHeader(
  credential: Extract<Credential, { kind: 'password' }>,
  { request }: Pick<TokenRequest, 'request'>,
): string {
  if (/[:\x00-\x1f\x7f]/.test(credential.username)) {
    throw badCredential(request, `the user name from ${credential.from} has a colon or a control character`)
  }
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`
}

function badCredential(request: RegistryRequest, reason: string): RegistryError {
  return new RegistryError(request.operation, {
    kind: 'denied',
    code: 'bad-credential',
    method: request.method,
    url: request.url,
    reason,
    outcome: 'was not sent',
  })
}

function headerSafe(value: string, { request }: TokenRequest): string {
  if (!/^[\x21-\x7e]+$/.test(value))
    throw badCredential(request, 'the token is not one line of visible ASCII')
  return value
}

function readToken(response: RegistryResponse, wanted: TokenRequest, now: number): Token {
  const document = parseReply(response, wanted)
  // Both mean the same; most peers prefer this one where they differ (rule R95).
  const value = [document.access_token, document.token].find(text => typeof text === 'string' && text !== '')
  if (typeof value !== 'string') throw badReply(response, wanted, 'gave no token')
  const { expires_in: told, refresh_token: refreshToken } = document
  const seconds = typeof told === 'number' ? Math.max(told, SHORTEST_LIFE_SECONDS) : SHORTEST_LIFE_SECONDS
  const life = Math.min(seconds, LONGEST_LIFE_SECONDS) * 1000
  return {
    value: headerSafe(value, wanted),
    // Counted from now, not from `issued_at`: the server's clock may differ (rule R96).
    renewAt: now + life - Math.max(5_000, life / 10),
    server: { host: response.url.host, aheadMs: clockAhead(response, now) },
    ...(typeof refreshToken === 'string' && refreshToken !== '' && { refreshToken }),
  }
}

/** What can't be read may well be a token: neither it nor the words of the JSON parser, which repeat it, are shown. */
function parseReply(response: RegistryResponse, wanted: TokenRequest): Record<string, unknown> {
  try {
    return parseJsonObject(response.bytes, 'the reply')
  } catch {
    throw badReply(response, wanted, 'did not answer with JSON')
  }
}

function badReply(
  response: Pick<RegistryResponse, 'url' | 'status'>,
  { request }: TokenRequest,
  what: string,
): RegistryError {
  return new RegistryError(request.operation, {
    kind: 'network',
    code: 'token-server',
    method: 'GET',
    url: response.url,
    status: response.status,
    reason: `the token server ${what}`,
    outcome: `answered ${response.status}`,
  })
}

function refusal(request: RegistryRequest, response: RegistryResponse, wanted: TokenRequest): RegistryError {
  const { codes, text } = readErrorBody(response.bytes)
  const { credential } = wanted
  const isDenied = response.status === 401 || response.status === 403 || response.status === 400
  const isUnknown = response.status === 404 || response.status === 405
  const reason =
    isUnknown && credential?.kind === 'identity-token'
      ? `the token server does not take identity tokens, such as the one from ${credential.from}`
      : !isDenied
        ? 'no token'
        : credential === undefined
          ? 'access denied'
          : `the login from ${credential.from} was refused`
  return new RegistryError(request.operation, {
    kind: isDenied || isUnknown ? 'denied' : 'network',
    code: isDenied || isUnknown ? 'denied' : 'token-server',
    method: request.method,
    url: request.url,
    status: response.status,
    codes,
    attempts: response.attempts,
    reason,
    outcome: `answered ${response.status}${text === '' ? '' : ` (${text})`}`,
    hint: isDenied || isUnknown ? waysToLogIn(request.endpoint.registry) : undefined,
  })
}
