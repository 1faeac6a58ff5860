import type { Credential } from '../../src/credentials/credential-store.js'
import { Authenticator } from '../../src/registry/auth.js'
import { parseScopes, type Scope } from '../../src/registry/scope.js'
import { Secrets } from '../../src/registry/secrets.js'
import type { RegistryRequest } from '../../src/registry/send.js'
import { answeringSender, type FakeAnswer, requestOf } from './fake-sender.js'

export const ada = { kind: 'password', username: 'ada', password: 'p:w', from: 'the test' } as const
export const REALM = 'https://auth.example/token'

/** How a {@link fakeTokenRegistry} behaves. What is left out is as the specifications have it. */
export interface FakeTokenRegistryOptions {
  credential?: Credential | undefined
  /** The Bearer challenge less its scheme. */
  challenge?: string
  /** Answers a request to the registry that brings a token; 200 when not given. */
  onRequest?(request: RegistryRequest, token: string): FakeAnswer | undefined
  /** Answers a request to the token server; undefined for a new token. `count` begins with 1. */
  onToken?(asked: AskedToken, count: number): FakeAnswer | undefined | Promise<FakeAnswer | undefined>
}

/** What a token server was asked. */
export interface AskedToken {
  method: string
  url: string
  authorization: string | undefined
  scopes: string[]
  form: URLSearchParams
}

/** A registry with a token server, in memory: tokens are `t1`, `t2`, … and live for 300 seconds. */
export function fakeTokenRegistry(options: FakeTokenRegistryOptions = {}) {
  const clock = { now: 0 }
  const asked: AskedToken[] = []
  const challenge = options.challenge ?? `realm="${REALM}",service="s"`
  const { send, seen } = answeringSender(async request => {
    const authorization = request.headers.authorization
    if (isTokenServer(request)) {
      const token = await askedToken(request, authorization)
      asked.push(token)
      const count = asked.length
      const answer = await options.onToken?.(token, count)
      return answer ?? { status: 200, body: JSON.stringify({ token: `t${count}`, expires_in: 300 }) }
    }
    const bearer = /^Bearer (.+)$/.exec(authorization ?? '')?.[1]
    if (bearer === undefined) return { status: 401, headers: { 'www-authenticate': `Bearer ${challenge}` } }
    return options.onRequest?.(request, bearer) ?? { status: 200 }
  })
  const policy = { isInsecure: () => false, allowInternal: false }
  const authenticator = new Authenticator(send, {
    credentials: { find: async () => options.credential },
    policy,
    secrets: new Secrets(),
    now: () => clock.now,
  })
  return {
    clock,
    asked,
    /** The scopes of each token that was asked for. */
    scopes: () => asked.map(({ scopes }) => scopes.join(' ')),
    /** What went with each request to the registry. */
    authorizations: () =>
      seen.filter(request => !isTokenServer(request)).map(({ headers }) => headers.authorization),
    /** Sends a request that needs these scopes. */
    ask: (scopes = 'repository:a:pull', fields: Partial<RegistryRequest> = {}) =>
      authenticator.send(requestOf({ scopes: parseScopes(scopes) as Scope[], ...fields })),
  }
}

/** All else of the registry is below `/v2/a`. */
function isTokenServer({ url }: RegistryRequest): boolean {
  return !url.pathname.startsWith('/v2/a/')
}

async function askedToken(request: RegistryRequest, authorization: string | undefined): Promise<AskedToken> {
  const form = new URLSearchParams(`${(await request.body?.open()) ?? ''}`)
  const scopes = [...request.url.searchParams.getAll('scope'), ...form.getAll('scope')]
  return { method: request.method, url: request.url.href, authorization, scopes, form }
}

/** A 401 of the registry to a request that brings a token. */
export function insufficient(scope: string, error = 'insufficient_scope'): FakeAnswer {
  const challenge = `Bearer realm="${REALM}",service="s",scope="${scope}",error="${error}"`
  return { status: 401, headers: { 'www-authenticate': challenge } }
}
