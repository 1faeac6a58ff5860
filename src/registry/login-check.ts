import type { Context } from '../content/store.js'
import type { Credential } from '../credentials/credential-store.js'
import type { ClientAccess } from './access.js'
import { type Challenge, chooseChallenge, parseChallenges } from './challenge.js'
import { readErrorBody } from './error-body.js'
import { RegistryError } from './registry-error.js'
import type { Secrets } from './secrets.js'
import { headerValues, isSuccess, type RegistryRequest, type RegistryResponse } from './send.js'
import { basicHeader, fetchToken, type Token, type TokenRequest } from './token.js'
import { isSameOrigin } from './urls.js'

const ANSWER_LIMIT_BYTES = 64 * 1024

/** What a registry said of a login. */
export type LoginCheck =
  | { readonly outcome: 'not-needed' }
  | {
      readonly outcome: 'accepted'
      /** What the token server gave to keep in the password's place; undefined when it gave none. */
      readonly identityToken?: string
    }

/** Hands out what the login is tried with. */
export type AskCredential = () => Promise<Credential>

/** What a login is tried with. */
export interface LoginAccess extends Omit<ClientAccess, 'retrier'> {
  /** Gets credential and token before they are used, so that nobody shows them. */
  readonly secrets: Secrets
}

/**
 * Asks a registry for its version (distribution-spec, Determining Support), and answers its challenge with a credential:
 * by Basic, or with a token for nothing in particular. A registry that answers without a challenge needs no login.
 *
 * A token server is asked for an identity token as well: what can be revoked is better kept than a password (rule R99).
 *
 * @param access whose `send` adds no credentials
 * @throws RegistryError `denied` when the credential is refused, `not-a-registry` when there is none at that address
 */
export async function checkLogin(
  access: LoginAccess,
  registry: string,
  ask: AskCredential,
  context: Context,
): Promise<LoginCheck> {
  const endpoint = await access.endpointOf(registry, context)
  const url = new URL('/v2/', endpoint.base)
  const operation = `login to ${registry}`
  const common = { headers: {}, scopes: [], collectLimitBytes: ANSWER_LIMIT_BYTES }
  const request: RegistryRequest = { operation, method: 'GET', url, endpoint, context, ...common }
  const response = await access.send(request)
  if (!isSameOrigin(response.url, endpoint.base)) throw notRegistry(request, response)
  const challenge = chooseChallenge(parseChallenges(headerValues(response, 'www-authenticate')))
  if (challenge === undefined) {
    if (isSuccess(response.status)) return { outcome: 'not-needed' }
    throw response.status === 401 ? unknownChallenge(request, response) : notRegistry(request, response)
  }
  // An open registry may offer a login with an answer that is no refusal (rule R90): then that is what is tried.
  const credential = await ask()
  access.secrets.addCredential(credential)
  const attempt: Attempt = { request, challenge, challengedUrl: response.url, credential }
  if (challenge.scheme === 'basic') {
    if (credential.kind !== 'password') throw refused(attempt, response, 'it takes no tokens, but passwords')
    await confirm(access, attempt, basicHeader(credential, attempt))
    return { outcome: 'accepted' }
  }
  const { value, refreshToken } = await tokenFor(access, attempt)
  for (const secret of [value, refreshToken ?? '']) access.secrets.add(secret)
  await confirm(access, attempt, `Bearer ${value}`)
  return { outcome: 'accepted', ...(refreshToken !== undefined && { identityToken: refreshToken }) }
}

/** A credential with the challenge that it answers. */
interface Attempt {
  request: RegistryRequest
  challenge: Challenge
  challengedUrl: URL
  credential: Credential
}

/** Some token servers break at the wish for an identity token: those are asked without it. */
async function tokenFor(access: LoginAccess, attempt: Attempt): Promise<Token> {
  const wanted: TokenRequest = { ...attempt, scopes: [] }
  const fetch = (wanted: TokenRequest) => fetchToken(access.send, access.policy, Date.now, wanted)
  try {
    if (attempt.credential.kind !== 'password') return await fetch(wanted)
    return await fetch({ ...wanted, challenge: withOfflineToken(attempt.challenge) }).catch(error => {
      if (error instanceof RegistryError && error.status !== undefined && !isRefusal(error.status))
        return fetch(wanted)
      throw error
    })
  } catch (error) {
    if (!(error instanceof RegistryError) || error.status === undefined || error.kind !== 'denied')
      throw error
    throw new RegistryError(attempt.request.operation, {
      kind: 'denied',
      code: 'denied',
      method: error.method,
      url: new URL(`https://${error.url}`),
      status: error.status,
      codes: error.codes,
      reason: refusalOf(attempt.credential),
      outcome: `answered ${error.status}`,
      hint: hintFor(attempt),
      cause: error,
    })
  }
}

/** `offline_token` of distribution's token authentication. A realm may have a query of its own. */
function withOfflineToken({ scheme, parameters }: Challenge): Challenge {
  const realm = parameters.get('realm') ?? ''
  const query = `${realm.includes('?') ? '&' : '?'}offline_token=true`
  return { scheme, parameters: new Map([...parameters, ['realm', `${realm}${query}`]]) }
}

async function confirm(access: LoginAccess, attempt: Attempt, authorization: string): Promise<void> {
  const { request } = attempt
  const response = await access.send({ ...request, headers: { authorization } })
  if (isSuccess(response.status)) return
  if (!isRefusal(response.status)) throw notRegistry(request, response)
  throw refused(attempt, response, refusalOf(attempt.credential))
}

function isRefusal(status: number): boolean {
  return status === 401 || status === 403
}

function refusalOf({ kind }: Credential): string {
  return kind === 'password' ? 'wrong user name or password' : 'the token was refused'
}

function refused(attempt: Attempt, response: RegistryResponse, reason: string): RegistryError {
  const hint = hintFor(attempt)
  return errorOf(attempt.request, response, { kind: 'denied', code: 'denied', reason, hint })
}

function hintFor({ request, credential }: Attempt): string | undefined {
  if (credential.kind !== 'password') return undefined
  const name = request.endpoint.registry === 'docker.io' ? 'Docker Hub' : 'Many registries'
  const verb = name === 'Docker Hub' ? 'takes' : 'take'
  return `${name} ${verb} an access token in the password's place, and no password where two-factor login is on`
}

function unknownChallenge(request: RegistryRequest, response: RegistryResponse): RegistryError {
  const reason = 'it asks for a kind of login that regctl does not know'
  return errorOf(request, response, { kind: 'denied', code: 'unknown-challenge', reason })
}

function notRegistry(request: RegistryRequest, response: RegistryResponse): RegistryError {
  const isNetwork = response.status >= 500 || response.status === 429
  const { registry } = request.endpoint
  if (isNetwork) return errorOf(request, response, { kind: 'network', code: `status-${response.status}` })
  const reason = `there is no registry at ${registry}`
  return errorOf(request, response, { kind: 'failed', code: 'not-a-registry', reason })
}

function errorOf(
  { operation, method }: RegistryRequest,
  { url, status, attempts, bytes }: RegistryResponse,
  details: Pick<ConstructorParameters<typeof RegistryError>[1], 'kind' | 'code' | 'reason' | 'hint'>,
): RegistryError {
  const { codes, text } = readErrorBody(bytes)
  const outcome = `answered ${status}${text === '' ? '' : ` (${text})`}`
  return new RegistryError(operation, { ...details, method, url, status, codes, attempts, outcome })
}
