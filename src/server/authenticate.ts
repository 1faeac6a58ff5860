import type { IncomingMessage } from 'node:http'
import { RegistryError } from './errors.js'
import type { Htpasswd } from './htpasswd.js'

/**
 * Lets a request pass when it brings the name and password of a known user (RFC 7617, Basic).
 *
 * @throws RegistryError UNAUTHORIZED, with the challenge that asks for them
 */
export async function authenticate(request: IncomingMessage, htpasswd: Htpasswd): Promise<void> {
  const credentials = basicCredentials(request.headers.authorization)
  if (credentials !== undefined && (await htpasswd.check(credentials.user, credentials.password))) return
  const message =
    credentials === undefined ? 'a user name and a password are needed' : 'wrong user name or password'
  throw new RegistryError('UNAUTHORIZED', message, {
    headers: { 'WWW-Authenticate': 'Basic realm="regctl", charset="UTF-8"' },
  })
}

function basicCredentials(header: string | undefined): { user: string; password: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? '')
  if (match?.[1] === undefined) return undefined
  const text = Buffer.from(match[1], 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) }
}
