import type { Context } from '../content/store.js'
import type { CredentialChain } from '../credentials/credential-lookup.js'
import { messageOf, RegctlError } from '../errors.js'
import type { RegistryAccess, RepositoryAccess } from '../registry/access.js'
import {
  checkCredential,
  checkPull,
  checkPush,
  checkReferrers,
  type Ping,
  type PlainAccess,
  pingRegistry,
  type RateLimit,
} from '../registry/diagnose.js'
import { waysToLogIn } from '../registry/registry-error.js'
import { type CheckFinding, type CheckName, fine, problem, warning } from './finding.js'

/** By how much clocks may differ (rule R96). */
const CLOCK_TOLERANCE_MS = 60_000

/** Asks whether it is a registry, how it wants to be convinced, and what time it has. */
export async function checkApi(
  registry: PlainAccess,
  context: Context,
  now: number,
): Promise<{ findings: CheckFinding[]; ping?: Ping }> {
  try {
    const ping = await pingRegistry(registry, context, now)
    return { findings: [judgeApi(ping), ...judgeClock(ping), ...judgeChallenge(ping)], ping }
  } catch (error) {
    return { findings: [failure('api', error, context)] }
  }
}

function judgeApi({ status, version, isWebPage, challenge, refusal }: Ping): CheckFinding {
  if (refusal !== undefined) {
    return problem('api', 'network', `${refusal.text}: GET /v2/ answered ${status}`, refusal.hint)
  }
  if (isWebPage && version === undefined) {
    const advice = 'Check host and port: a web page is served there, not the API of a registry'
    return problem('api', 'failed', `GET /v2/ answered ${status} with a web page`, advice)
  }
  const isKnown = status === 200 || (status === 401 && (challenge !== undefined || version !== undefined))
  if (isKnown) return fine('api', `${version ?? 'registry API'} (GET /v2/ answered ${status})`)
  if (status === 401) return warning('api', 'GET /v2/ answered 401 without saying how to log in')
  const advice = 'Check host and port: this seems to be no registry, or one that is out of order'
  return problem('api', status >= 500 ? 'network' : 'failed', `GET /v2/ answered ${status}`, advice)
}

function judgeClock({ aheadMs }: Ping): CheckFinding[] {
  if (aheadMs === undefined) return []
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return [fine('clock', "it agrees with the registry's")]
  const side = aheadMs > 0 ? 'behind' : 'ahead of'
  const advice = 'Set it: tokens and certificates of the present may else seem too old or too new'
  return [warning('clock', `the clock of this machine is ${seconds} s ${side} the registry's`, advice)]
}

function judgeChallenge({ status, challenge }: Ping): CheckFinding[] {
  if (challenge === undefined) return status === 200 ? [fine('login', 'none is asked for')] : []
  if (challenge.scheme === 'basic') return [fine('login', 'by user name and password')]
  const service = challenge.parameters.get('service')
  const realm = `by a token of ${challenge.parameters.get('realm')}`
  return [fine('login', service === undefined ? realm : `${realm} for ${service}`)]
}

/** Which credentials are found, in which place, and whether the registry takes them. Secrets are left out. */
export async function checkCredentials(
  registry: RegistryAccess,
  repository: string | undefined,
  credentials: CredentialChain,
  ping: Ping | undefined,
  context: Context,
): Promise<CheckFinding[]> {
  const places = await credentials.explain(registry.registry, repository)
  const failed = places
    .filter(place => place.state === 'failed')
    .map(({ place, reason }) => warning('credentials', `${place} can't be asked: ${reason ?? 'it failed'}`))
  const used = places.find(place => place.state === 'used')
  const who = used?.entry?.username === undefined ? '' : ` for ${used.entry.username}`
  const message = used === undefined ? 'none are found' : `those of ${used.place}${who}`
  if (ping?.challenge === undefined) return [...failed, fine('credentials', message)]
  try {
    await checkCredential(registry, context)
    return [
      ...failed,
      fine('credentials', used === undefined ? `${message}, and none needed` : `${message} are taken`),
    ]
  } catch (error) {
    context.signal.throwIfAborted()
    // A registry may well be open to everybody for some repositories, and want a login here.
    if (used === undefined)
      return [...failed, warning('credentials', message, waysToLogIn(registry.registry))]
    const kind = error instanceof RegctlError ? error.kind : 'failed'
    return [
      ...failed,
      problem(
        'credentials',
        kind,
        `${message} are not taken: ${messageOf(error)}`,
        waysToLogIn(registry.registry),
      ),
    ]
  }
}

/** What a repository is asked for. */
export interface RepositoryQuestion {
  /** Undefined when none was named. */
  readonly tagOrDigest: string | undefined
  /** That nothing may be pushed is a problem, not a warning. */
  readonly mustPush: boolean
}

/** Whether a repository may be pulled from and pushed to, and what it offers. */
export async function checkRepository(
  repository: RepositoryAccess,
  { tagOrDigest, mustPush }: RepositoryQuestion,
  context: Context,
): Promise<CheckFinding[]> {
  const findings: CheckFinding[] = []
  let rateLimit: RateLimit | undefined
  let mayPull = false
  try {
    const pull = await checkPull(repository, tagOrDigest, context)
    rateLimit = pull.rateLimit
    mayPull = true
    findings.push(judgePull(repository, tagOrDigest, pull.state))
  } catch (error) {
    findings.push(failure('pull', error, context))
  }
  try {
    await checkPush(repository, context)
    findings.push(fine('push', `allowed to ${repository.label}`))
  } catch (error) {
    const { message, advice, kind = 'failed' } = failure('push', error, context)
    findings.push(mustPush ? problem('push', kind, message, advice) : warning('push', message, advice))
  }
  if (mayPull) findings.push(await judgeReferrers(repository, context))
  if (rateLimit !== undefined) findings.push(judgeRateLimit(rateLimit))
  return findings
}

function judgePull(
  { label }: RepositoryAccess,
  tagOrDigest: string | undefined,
  state: 'found' | 'absent',
): CheckFinding {
  if (state === 'found') return fine('pull', `allowed from ${label}`)
  if (tagOrDigest !== undefined) {
    const advice = `List what is there: \`regctl tags ${label}\``
    return problem('pull', 'not-found', `allowed from ${label}, which has no ${tagOrDigest}`, advice)
  }
  return warning('pull', `there is no repository ${label} yet, or it may not be seen`)
}

async function judgeReferrers(repository: RepositoryAccess, context: Context): Promise<CheckFinding> {
  try {
    return (await checkReferrers(repository, context))
      ? fine('referrers', 'listed by the registry')
      : fine('referrers', 'not listed by the registry: they are kept under tags')
  } catch (error) {
    const { message } = failure('referrers', error, context)
    return warning('referrers', message)
  }
}

function judgeRateLimit({ remaining, limit, windowSeconds }: RateLimit): CheckFinding {
  const hours = windowSeconds === undefined ? '' : ` in ${Math.round(windowSeconds / 360) / 10} h`
  const message = `${remaining} of ${limit} pulls are left${hours}`
  if (remaining > limit / 10) return fine('rate-limit', message)
  return warning('rate-limit', message, 'A login raises the limit')
}

function failure(check: CheckName, error: unknown, context: Context): CheckFinding {
  context.signal.throwIfAborted()
  if (!(error instanceof RegctlError)) throw error
  return problem(check, error.kind, error.message, error.hint)
}
