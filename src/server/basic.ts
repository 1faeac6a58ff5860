import { RegistryError } from './errors.js'

/** A name and a password that were brought. */
export interface BasicCredentials {
  user: string
  password: string
}

/** Reads an Authorization header (RFC 7617); undefined when it holds no name and password. */
export function basicCredentials(header: string | undefined): BasicCredentials | undefined {
  const match = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? '')
  if (match?.[1] === undefined) return undefined
  const text = Buffer.from(match[1], 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** The answer to a request that brought no user name and password, or wrong ones. */
export function wantCredentials(message: string): RegistryError {
  return new RegistryError('UNAUTHORIZED', message, {
    headers: { 'WWW-Authenticate': 'Basic realm="regctl", charset="UTF-8"' },
  })
}
