import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Access } from './access.js'
import { basicCredentials, wantCredentials } from './basic.js'
import type { Htpasswd } from './htpasswd.js'

/** What a request may do that was let in. */
export interface Grant {
  allows(access: Access): boolean
}

/** Decides who may do what. */
export interface Authenticator {
  /**
   * Lets a request pass that brings what it needs to.
   *
   * @param needed the rights for it; none for what everybody may do who may come in
   * @throws RegistryError UNAUTHORIZED, with the challenge that says what to bring
   */
  authorize(request: IncomingMessage, needed: readonly Access[]): Promise<Grant>
  /**
   * Answers a request for a path of its own, where tokens are given out.
   *
   * @returns false when the path is none of its own, and nothing was done
   */
  answer?(request: IncomingMessage, response: ServerResponse): Promise<boolean>
}

const EVERYTHING: Grant = { allows: () => true }

/** Lets everybody do everything. */
export const everybody: Authenticator = { authorize: async () => EVERYTHING }

/** Lets those do everything who bring the name and password of a known user (RFC 7617, Basic). */
export function basicAuthenticator(users: Htpasswd): Authenticator {
  return {
    async authorize(request) {
      const credentials = basicCredentials(request.headers.authorization)
      if (credentials === undefined) throw wantCredentials('a user name and a password are needed')
      const isRight = await users.check(credentials.user, credentials.password)
      if (!isRight) throw wantCredentials('wrong user name or password')
      return EVERYTHING
    },
  }
}
