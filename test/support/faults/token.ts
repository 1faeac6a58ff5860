import type { IncomingMessage } from 'node:http'
import { type Exchange, errorBody, type Fault, instead, JSON_TYPE, type WireAnswer } from './fault.js'

/** How a faulty registry asks for tokens. */
export interface TokenGate {
  /** Where tokens are had; `SCHEME://HOST/token` when not given. */
  realm?: (exchange: Exchange) => string
}

const SERVICE = 'faulty'

/** Whether a request is turned away for want of a token. */
export function isGated(request: IncomingMessage): boolean {
  return /^\/v2\//.test(request.url ?? '') && !/^Bearer ./.test(request.headers.authorization ?? '')
}

/** The answer to a request without a token, or to one for a token. */
export function tokenAnswer(exchange: Exchange, gate: TokenGate): WireAnswer {
  if (!/^\/v2\//.test(exchange.request.url ?? '')) return tokenReply({ token: 'token-1' })
  return {
    status: 401,
    headers: { ...JSON_TYPE, 'www-authenticate': challengeOf(exchange, gate) },
    body: Buffer.from(errorBody('UNAUTHORIZED')),
  }
}

function challengeOf(exchange: Exchange, { realm }: TokenGate, extra = ''): string {
  const where = realm?.(exchange) ?? `${exchange.scheme}://${exchange.host}/token`
  return `Bearer realm="${where}",service="${SERVICE}"${extra}`
}

function tokenReply(document: object): WireAnswer {
  return {
    status: 200,
    headers: JSON_TYPE,
    body: Buffer.from(JSON.stringify({ expires_in: 300, ...document })),
  }
}

function reply(document: object): Fault {
  return instead(200, JSON_TYPE, JSON.stringify(document))
}

/** What a token server answers. */
export const TOKEN_FAULTS = {
  'token-field': reply({ token: 'token-1' }),
  'access-token-field': reply({ access_token: 'token-1' }),
  'both-fields': reply({ token: 'token-1', access_token: 'token-2' }),
  'no-token': reply({ expires_in: 300 }),
  'token-lives-one-second': reply({ token: 'token-1', expires_in: 1 }),
  'token-of-10-mib': reply({ token: 'x'.repeat(10 * 1024 * 1024) }),
  'token-post-refused': instead(405, JSON_TYPE, errorBody('UNSUPPORTED')),
} satisfies Record<string, Fault>

/** Where a registry sends its clients for tokens. */
export const TOKEN_GATES = {
  'realm-relative': { realm: () => '/token' },
  'realm-http': { realm: ({ host }) => `http://${host}/token` },
  'realm-on-other-host': {
    realm: ({ store }) => `http://${store.replace('127.0.0.1', 'tokens.test')}/token`,
  },
} satisfies Record<string, TokenGate>

/** A 401 in the middle, as to a token that is good for too little. */
export const widerScope: Fault = async exchange => {
  await exchange.body()
  const extra = ',scope="repository:app:pull,push,delete",error="insufficient_scope"'
  exchange.send({
    status: 401,
    headers: { 'www-authenticate': challengeOf(exchange, {}, extra) },
    body: Buffer.from(errorBody('UNAUTHORIZED')),
  })
}
