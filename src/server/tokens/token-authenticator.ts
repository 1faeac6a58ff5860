import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { type Access, coversAccess, formatScopes } from '../access.js'
import type { Authenticator } from '../authenticate.js'
import { RegistryError } from '../errors.js'
import type { Htpasswd } from '../htpasswd.js'
import { TokenMaker } from './token.js'
import { answerTokenRequest } from './token-endpoint.js'

/** How tokens are given out. */
export interface TokenOptions {
  /** How long a token lasts. Default: 300 seconds. */
  lifetimeSeconds?: number | undefined
  /** What those may do who give no name. Default: nothing. */
  anonymous?: 'pull' | undefined
  /** The time in milliseconds. Default: that of the system. */
  now?: (() => number) | undefined
}

const PATH = '/token'
const SERVICE = 'regctl'
const LIFETIME_SECONDS = 300
/** As long as somebody may work without giving the password again. */
const REFRESH_LIFETIME_SECONDS = 30 * 24 * 60 * 60

/**
 * Lets requests pass that bring a token for what they do, and gives tokens out itself at `/token` (distribution, Token
 * Authentication Specification).
 *
 * @param users who gets tokens for everything; undefined when nobody does
 */
export function tokenAuthenticator(users: Htpasswd | undefined, options: TokenOptions = {}): Authenticator {
  const now = options.now ?? Date.now
  const accessTokens = new TokenMaker(options.lifetimeSeconds ?? LIFETIME_SECONDS, now)
  const endpoint = {
    service: SERVICE,
    users,
    allowsAnonymous: options.anonymous === 'pull',
    accessTokens,
    refreshTokens: new TokenMaker(REFRESH_LIFETIME_SECONDS, now),
  }
  return {
    async answer(request, response) {
      if (request.url?.split('?')[0] !== PATH) return false
      await answerTokenRequest(endpoint, request, response)
      return true
    },
    async authorize(request, needed) {
      const text = /^bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1]
      if (text === undefined) throw wantToken(request, needed, 'a token is needed')
      const claims = accessTokens.read(text)
      if (claims === undefined) {
        throw wantToken(request, needed, 'the token is not valid, or not any longer', 'invalid_token')
      }
      const allows = (access: Access) => coversAccess(claims.access, access)
      if (needed.every(allows)) return { allows }
      throw wantToken(request, needed, 'the token does not allow this', 'insufficient_scope')
    },
  }
}

/** The challenge that says where to get a token, and for what (RFC 6750, section 3). */
function wantToken(
  request: IncomingMessage,
  needed: readonly Access[],
  message: string,
  error?: 'invalid_token' | 'insufficient_scope',
): RegistryError {
  const parameters = {
    realm: `${originOf(request)}${PATH}`,
    service: SERVICE,
    ...(needed.length > 0 && { scope: formatScopes(needed) }),
    ...(error !== undefined && { error }),
  }
  const challenge = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`)
  return new RegistryError('UNAUTHORIZED', message, {
    headers: { 'WWW-Authenticate': `Bearer ${challenge.join(',')}` },
  })
}

/** The server as the client calls it, since that is the name which works from where the client is. */
function originOf({ socket, headers: { host } }: IncomingMessage): string {
  const scheme = socket instanceof TLSSocket ? 'https' : 'http'
  const isHost = host !== undefined && /^[\w.-]+(?::\d+)?$|^\[[\da-f:]+\](?::\d+)?$/i.test(host)
  if (isHost) return `${scheme}://${host}`
  const address = socket.localAddress ?? 'localhost'
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${socket.localPort}`
}
