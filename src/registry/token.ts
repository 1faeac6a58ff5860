import { parseJsonObject } from '../content/manifest.js'
import type { Credential } from '../credentials/credential-store.js'
import type { Challenge } from './challenge.js'
import { readErrorBody } from './error-body.js'
import { RegistryError, waysToLogIn } from './registry-error.js'
import { formatScope, type Scope } from './scope.js'
import { isSuccess, type RegistryRequest, type RegistryResponse, type Send } from './send.js'
import { resolveServerUrl, UnsafeUrlError, type UrlPolicy } from './urls.js'

const TOKEN_LIMIT_BYTES = 1024 * 1024
const SHORTEST_LIFE_SECONDS = 60
const CLIENT_ID = 'regctl'

/** A bearer token with what it allows. */
export interface Token {
  readonly value: string
  readonly scopes: readonly Scope[]
  /** When to get a new one, in milliseconds since 1970 by our own clock (rule R96). */
  readonly renewAt: number
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
 * An identity token is exchanged by POST; all else goes by GET, with Basic when there is a password.
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
  const { credential } = wanted
  if (credential?.kind === 'registry-token') {
    return {
      value: headerSafe(credential.token, wanted),
      scopes: wanted.scopes,
      renewAt: Number.POSITIVE_INFINITY,
    }
  }
  for (const scopes of scopeVariants(wanted.scopes)) {
    const request = tokenRequest({ ...wanted, scopes }, policy)
    const response = await send(request)
    if (isSuccess(response.status)) return readToken(response, wanted, now())
    // Quay answers 400 to the action "delete" (rule R120): another spelling may do.
    const isLast = scopes === scopeVariants(wanted.scopes).at(-1)
    if (response.status !== 400 || isLast || !hasDelete(wanted.scopes))
      throw refusal(request, response, wanted)
  }
  throw new Error('unreachable: there is always one variant')
}

function hasDelete(scopes: readonly Scope[]): boolean {
  return scopes.some(scope => scope.actions.includes('delete'))
}

function scopeVariants(scopes: readonly Scope[]): (readonly Scope[])[] {
  if (!hasDelete(scopes)) return [scopes]
  const withActions = (actions: string[]) => scopes.map(({ resource }) => ({ resource, actions }))
  return [scopes, withActions(['*']), withActions(['pull', 'push'])]
}

function tokenRequest(wanted: TokenRequest, policy: UrlPolicy): RegistryRequest {
  const { request, challenge, scopes, credential } = wanted
  const url = realmOf(wanted, policy)
  const service = challenge.parameters.get('service')
  const common = {
    operation: request.operation,
    endpoint: request.endpoint,
    context: request.context,
    scopes: [],
    collectLimitBytes: TOKEN_LIMIT_BYTES,
  }
  if (credential?.kind === 'identity-token') {
    const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: CLIENT_ID })
    if (service !== undefined) form.set('service', service)
    if (scopes.length > 0) form.set('scope', scopes.map(formatScope).join(' '))
    form.set('refresh_token', credential.token)
    const bytes = Buffer.from(form.toString())
    return {
      ...common,
      method: 'POST',
      url,
      headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
      body: { length: bytes.length, open: async () => bytes },
      secretBody: true,
    }
  }
  if (service !== undefined) url.searchParams.append('service', service)
  for (const scope of scopes) url.searchParams.append('scope', formatScope(scope))
  url.searchParams.append('client_id', CLIENT_ID)
  const authorization =
    credential?.kind === 'password' ? { authorization: basicHeader(credential, wanted) } : {}
  return { ...common, method: 'GET', url, headers: { accept: 'application/json', ...authorization } }
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
  const document = parseJsonObject(response.bytes, `the token for ${wanted.request.operation}`)
  const value = [document.access_token, document.token].find(text => typeof text === 'string' && text !== '')
  if (typeof value !== 'string') throw badCredential(wanted.request, 'the token server gave no token')
  const told = typeof document.expires_in === 'number' ? document.expires_in : SHORTEST_LIFE_SECONDS
  const life = Math.max(told, SHORTEST_LIFE_SECONDS) * 1000
  return {
    value: headerSafe(value, wanted),
    scopes: wanted.scopes,
    renewAt: now + life - Math.max(5_000, life / 10),
  }
}

function refusal(request: RegistryRequest, response: RegistryResponse, wanted: TokenRequest): RegistryError {
  const { codes, text } = readErrorBody(response.bytes)
  const isDenied = response.status === 401 || response.status === 403 || response.status === 400
  const { registry } = request.endpoint
  const reason =
    wanted.credential === undefined ? 'access denied' : `the login from ${wanted.credential.from} was refused`
  return new RegistryError(request.operation, {
    kind: isDenied ? 'denied' : 'network',
    code: isDenied ? 'denied' : 'token-server',
    method: request.method,
    url: request.url,
    status: response.status,
    codes,
    attempts: response.attempts,
    reason: isDenied ? reason : 'no token',
    outcome: `answered ${response.status}${text === '' ? '' : ` (${text})`}`,
    hint: isDenied ? waysToLogIn(registry) : undefined,
  })
}
