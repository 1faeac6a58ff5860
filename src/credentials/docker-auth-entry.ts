import { isObject } from '../content/manifest.js'
import type { Credential } from './credential-store.js'

/**
 * Reads one entry of `auths` (rules R122, R126). An empty one was left by a helper and says nothing.
 *
 * @param warn takes one line when the entry is no good; it is then passed over
 */
export function parseAuthEntry(
  value: unknown,
  key: string,
  from: string,
  warn: (message: string) => void,
): Credential | undefined {
  if (!isObject(value)) return undefined
  const text = (field: string) => {
    const found = value[field]
    return typeof found === 'string' && found !== '' ? found : undefined
  }
  const origin = `${from} (${key})`
  const registryToken = text('registrytoken')
  if (registryToken !== undefined) return { kind: 'registry-token', token: registryToken, from: origin }
  const identityToken = text('identitytoken')
  if (identityToken !== undefined) return { kind: 'identity-token', token: identityToken, from: origin }
  const auth = text('auth')
  if (auth !== undefined) {
    const login = decodeAuth(auth)
    if (login === undefined) {
      warn(`the entry for ${key} in ${from} is left out: its "auth" is no user name and password in base64`)
      return undefined
    }
    return { kind: 'password', ...login, from: origin }
  }
  const username = text('username')
  const password = text('password')
  if (username === undefined || password === undefined) return undefined
  return { kind: 'password', username, password, from: origin }
}

/** `user:password` in base64, apart at the first colon; zeros at the end are cut off. */
function decodeAuth(auth: string): { username: string; password: string } | undefined {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(auth.trim())) return undefined
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 1) return undefined
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') }
}
