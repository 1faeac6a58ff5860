import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Access, formatScopes } from '../access.js'
import { basicCredentials, wantCredentials } from '../basic.js'
import { RegistryError } from '../errors.js'
import type { Htpasswd } from '../htpasswd.js'
import type { TokenMaker } from './token.js'
import { readForm, TokenRequestError, type TokenWish, wishFromForm, wishFromQuery } from './token-request.js'
import { grantedAccess, type TokenUser } from './token-rights.js'

/** What tokens are given out with. */
export interface TokenEndpoint {
  /** What the registry calls itself in its challenges. */
  service: string
  users: Htpasswd | undefined
  /** Whether those get a token who give no name, to pull with. */
  allowsAnonymous: boolean
  accessTokens: TokenMaker
  /** Made with another key, so that neither passes for the other. */
  refreshTokens: TokenMaker
}

/**
 * Answers a request for a token: a GET with or without a name and a password (distribution, Token Authentication
 * Specification; rules R94, R95), or a POST of a form (distribution, Oauth2 Token Authentication; rule R97).
 *
 * @throws RegistryError UNAUTHORIZED, UNSUPPORTED
 */
export async function answerTokenRequest(
  endpoint: TokenEndpoint,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === 'GET') {
    const query = new URLSearchParams(request.url?.split('?').slice(1).join('?'))
    const wish = wishFromQuery(query, endpoint.service)
    const reply = replyTo(endpoint, await userOfGet(endpoint, request.headers.authorization), wish)
    return sendToken(response, 200, { token: reply.access_token, ...reply })
  }
  if (request.method !== 'POST') {
    throw new RegistryError('UNSUPPORTED', `${request.method} is not possible here`, {
      headers: { Allow: 'GET, POST' },
    })
  }
  try {
    const form = await readForm(request)
    const { user, refreshToken } = await userOfPost(endpoint, form)
    const reply = replyTo(endpoint, user, wishFromForm(form, endpoint.service))
    sendToken(response, 200, { ...reply, ...(refreshToken !== undefined && { refresh_token: refreshToken }) })
  } catch (error) {
    if (!(error instanceof TokenRequestError)) throw error
    sendToken(response, error.status, { error: error.oauthCode, error_description: error.message })
  }
}

async function userOfGet(
  { users, allowsAnonymous }: TokenEndpoint,
  authorization: string | undefined,
): Promise<TokenUser> {
  // Who brings a wrong password gets nothing, not what somebody without one would get (rule R101).
  if (authorization === undefined && allowsAnonymous) return 'anonymous'
  const credentials = basicCredentials(authorization)
  if (credentials === undefined) throw wantCredentials('a user name and a password are needed')
  const isRight = await users?.check(credentials.user, credentials.password)
  if (isRight !== true) throw wantCredentials('wrong user name or password')
  return { name: credentials.user }
}

async function userOfPost(
  { users, refreshTokens }: TokenEndpoint,
  form: URLSearchParams,
): Promise<{ user: TokenUser; refreshToken?: string }> {
  const grantType = form.get('grant_type')
  if (grantType === 'password') {
    const name = form.get('username') ?? ''
    if ((await users?.check(name, form.get('password') ?? '')) === true) return { user: { name } }
    throw new TokenRequestError('invalid_grant', 'wrong user name or password', 401)
  }
  if (grantType === 'refresh_token') {
    const refreshToken = form.get('refresh_token') ?? ''
    const claims = refreshTokens.read(refreshToken)
    if (claims !== undefined) return { user: { name: claims.subject }, refreshToken }
    throw new TokenRequestError('invalid_grant', 'the refresh token is not valid, or not any longer', 401)
  }
  throw new TokenRequestError('unsupported_grant_type', 'grant_type must be password or refresh_token')
}

interface TokenReply {
  access_token: string
  expires_in: number
  issued_at: string
  scope: string
  refresh_token?: string
}

function replyTo(
  { accessTokens, refreshTokens }: TokenEndpoint,
  user: TokenUser,
  wish: TokenWish,
): TokenReply {
  const access: Access[] = grantedAccess(user, wish.access)
  const subject = user === 'anonymous' ? '' : user.name
  const issued = accessTokens.make({ subject, access })
  const getsRefreshToken = wish.wantsRefreshToken && user !== 'anonymous'
  return {
    access_token: issued.text,
    expires_in: issued.lifetimeSeconds,
    issued_at: issued.issuedAt.toISOString(),
    scope: formatScopes(access),
    ...(getsRefreshToken && { refresh_token: refreshTokens.make({ subject, access: [] }).text }),
  }
}

function sendToken(response: ServerResponse, status: number, value: object): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
  })
  response.end(body)
}
