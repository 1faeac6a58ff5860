import { InsecureRegistries } from '../config/insecure-registries.js'
import { defaultTrust } from '../config/trust.js'
import type { Reference } from '../content/reference.js'
import type { Context } from '../content/store.js'
import type { CredentialChain } from '../credentials/credential-lookup.js'
import { RegistryClient, type RegistryClientOptions } from '../registry/client.js'
import { hostOf } from '../registry/hosts.js'
import type { CertificateFacts } from '../registry/tls-inspection.js'
import {
  type CheckedHost,
  checkName,
  checkPort,
  checkProxy,
  checkRoute,
  checkTransport,
} from './connection-checks.js'
import type { CheckFinding } from './finding.js'
import { checkApi, checkCredentials, checkRepository } from './service-checks.js'

/** What is to be looked at. */
export interface DiagnosisTarget {
  /** As in references: `docker.io`, `localhost:5000`. */
  registry: string
  /** What of it; the registry as a whole when undefined. */
  repository?: string | undefined
  tagOrDigest?: string | undefined
}

/** How a {@link diagnose} goes about it. */
export interface DiagnosisOptions extends RegistryClientOptions {
  credentials: CredentialChain
  /** That nothing may be pushed is a problem. A warning when not given. */
  mustPush?: boolean
}

/** What was found out. */
export interface Diagnosis {
  readonly findings: readonly CheckFinding[]
  /** The server's own certificate and those that it showed with it; empty where TLS is not spoken. */
  readonly certificates: readonly CertificateFacts[]
  /** The first problem; undefined when the registry can be used. */
  readonly problem: CheckFinding | undefined
}

/**
 * Finds out why a push or a pull fails: looks at one registry, from its name up to what may be done in a repository. What
 * comes after a failure is looked at as far as that makes sense. Whether a push is allowed is found out by an upload that
 * is begun and cancelled; nothing else is written.
 *
 * @throws RegctlError only for what is wrong on this side: settings, files; InterruptedError
 * @example
 * const { findings } = await diagnose({ registry: 'localhost:5000' }, { credentials }, createContext())
 */
export async function diagnose(
  target: DiagnosisTarget,
  options: DiagnosisOptions,
  context: Context,
): Promise<Diagnosis> {
  const route = options.routes?.routeOf(target.registry, target.repository ?? '')
  const registry = route?.registry ?? target.registry
  const host = await hostFor(registry, route?.insecure === true, options)
  // One try tells most, and soonest.
  await using client = new RegistryClient({ ...options, retry: { ...options.retry, attempts: 1, budget: 0 } })
  const findings: CheckFinding[] = []
  const isUsable = () => findings.every(finding => finding.state !== 'problem')

  findings.push(await checkName(host), checkProxy(host))
  const port = isUsable() ? await checkPort(host, context) : undefined
  if (port !== undefined) findings.push(port)
  const transport = isUsable() ? await checkTransport(host, context) : undefined
  findings.push(...(transport?.findings ?? []))
  if (route !== undefined) findings.push(...checkRoute(target.registry, route))
  const access = client.plainAccess(target.registry, target.repository)
  const api = isUsable() ? await checkApi(access, context, Date.now()) : undefined
  findings.push(...(api?.findings ?? []))
  const isRegistry = isUsable()
  const { credentials, mustPush = false } = options
  const ping = isRegistry ? api?.ping : undefined
  findings.push(...(await checkCredentials(access, target.repository, credentials, ping, context)))
  if (isRegistry && target.repository !== undefined) {
    const repository = client.repository(target.registry, target.repository)
    const { tagOrDigest } = target
    findings.push(...(await checkRepository(repository, { tagOrDigest, mustPush }, context)))
  }
  return {
    findings,
    certificates: transport?.certificates ?? [],
    problem: findings.find(finding => finding.state === 'problem'),
  }
}

/** The target that a reference names. A tag that is only the default is none (rule R138). */
export function diagnosisTarget(reference: Reference): DiagnosisTarget {
  const { registry, repository, tag, digest } = reference
  return { registry, repository, tagOrDigest: digest ?? tag }
}

async function hostFor(
  registry: string,
  isInsecure: boolean,
  options: DiagnosisOptions,
): Promise<CheckedHost> {
  const url = new URL(`https://${hostOf(registry)}`)
  const { trust = defaultTrust, proxyFor = () => undefined, insecureRegistries } = options
  return {
    registry,
    url,
    insecure: isInsecure || (await new InsecureRegistries(insecureRegistries).resolves(registry)),
    proxy: proxyFor(url),
    tls: await trust.settingsFor(registry, true),
    now: new Date(),
  }
}
