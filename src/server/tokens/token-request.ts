import type { IncomingMessage } from 'node:http'
import { essenceOf } from '../../content/media-types.js'
import { type Access, parseScopes } from '../access.js'
import { RegistryError } from '../errors.js'
import { bodyOf } from '../exchange.js'

/** Room for a refresh token and many scopes; passwords are short. */
const FORM_LIMIT_BYTES = 64 * 1024

/** What both ways to ask for a token have in common. */
export interface TokenWish {
  access: Access[]
  /** Whether a token is wanted too with which to ask again without a password. */
  wantsRefreshToken: boolean
}

/** A request that can't be understood (RFC 6749, section 5.2). */
export class TokenRequestError extends RegistryError {
  /** `invalid_request`, `unsupported_grant_type`, `invalid_grant`. */
  readonly oauthCode: string

  constructor(oauthCode: string, message: string, status = 400) {
    super('UNSUPPORTED', message, { status })
    this.oauthCode = oauthCode
  }
}

/** Reads the query of a GET (distribution, Token Authentication Specification). */
export function wishFromQuery(query: URLSearchParams, service: string): TokenWish {
  return {
    access: requestedAccess(query, service),
    wantsRefreshToken: query.get('offline_token') === 'true',
  }
}

/** Reads the form of a POST (distribution, Oauth2 Token Authentication). */
export function wishFromForm(form: URLSearchParams, service: string): TokenWish {
  return {
    access: requestedAccess(form, service),
    wantsRefreshToken: form.get('access_type') === 'offline',
  }
}

/** @throws TokenRequestError `invalid_request` when it is for another service */
function requestedAccess(parameters: URLSearchParams, service: string): Access[] {
  const wanted = parameters.get('service') ?? ''
  if (wanted !== '' && wanted !== service) {
    throw new TokenRequestError(
      'invalid_request',
      `tokens are given out here for the service "${service}" only`,
    )
  }
  return parseScopes(parameters.getAll('scope').join(' '))
}

/**
 * Reads the form in a request's body.
 *
 * @throws TokenRequestError `invalid_request`
 */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const type = essenceOf(request.headers['content-type'] ?? '')
  if (type !== 'application/x-www-form-urlencoded') {
    throw new TokenRequestError(
      'invalid_request',
      'the Content-Type must be application/x-www-form-urlencoded',
    )
  }
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of bodyOf(request)) {
    size += chunk.length
    if (size > FORM_LIMIT_BYTES) {
      throw new TokenRequestError('invalid_request', `the form is larger than ${FORM_LIMIT_BYTES} bytes`, 413)
    }
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString())
}
