import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Access } from '../access.js'

/** What a token says: who it was given to, for what, and until when. */
export interface TokenClaims {
  /** The user; empty for somebody who gave no name. */
  subject: string
  access: readonly Access[]
}

/** A token that was just made. */
export interface IssuedToken {
  /** As it is sent: three parts of printable characters. */
  text: string
  issuedAt: Date
  lifetimeSeconds: number
}

/** The text is encoded the same each time, so it can be compared as such: no other algorithm is ever looked at. */
const HEADER = encode({ typ: 'JWT', alg: 'HS256' })

/**
 * Makes tokens, and knows them again: JSON Web Tokens (RFC 7519) with distribution's `access` claim (distribution,
 * Token Authentication Implementation), signed with a key that nobody else has and that ends with the process.
 */
export class TokenMaker {
  readonly #key = randomBytes(32)
  readonly #lifetimeSeconds: number
  readonly #now: () => number

  /** @param now the time in milliseconds */
  constructor(lifetimeSeconds: number, now: () => number) {
    this.#lifetimeSeconds = lifetimeSeconds
    this.#now = now
  }

  make({ subject, access }: TokenClaims): IssuedToken {
    const issuedAt = Math.floor(this.#now() / 1000)
    const lifetimeSeconds = this.#lifetimeSeconds
    const claims = {
      iss: 'regctl',
      sub: subject,
      aud: 'regctl',
      iat: issuedAt,
      nbf: issuedAt,
      exp: issuedAt + lifetimeSeconds,
      jti: randomUUID(),
      access,
    }
    const signed = `${HEADER}.${encode(claims)}`
    const text = `${signed}.${this.#sign(signed).toString('base64url')}`
    return { text, issuedAt: new Date(issuedAt * 1000), lifetimeSeconds }
  }

  /** What a token says; undefined when it was not made here, or is valid no longer. */
  read(text: string): TokenClaims | undefined {
    const [header, payload, signature, ...more] = text.split('.')
    if (header !== HEADER || payload === undefined || signature === undefined || more.length > 0)
      return undefined
    const expected = this.#sign(`${header}.${payload}`)
    const found = Buffer.from(signature, 'base64url')
    if (found.length !== expected.length || !timingSafeEqual(found, expected)) return undefined
    // Signed by this key, so of the form that was given to it.
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as {
      sub: string
      exp: number
      access: Access[]
    }
    return this.#now() < claims.exp * 1000 ? { subject: claims.sub, access: claims.access } : undefined
  }

  #sign(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest()
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
