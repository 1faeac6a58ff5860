import { lookup } from 'node:dns/promises'
import { connect, isIP } from 'node:net'
import { hostnameOf } from '../config/insecure-registries.js'
import type { Route } from '../config/routes.js'
import type { TlsSettings } from '../config/trust.js'
import type { Context } from '../content/store.js'
import { Deadline } from '../deadline.js'
import { isLoopback } from '../registry/addresses.js'
import { explainNetworkError } from '../registry/network-error.js'
import { CertificateError, explainTlsError } from '../registry/tls-error.js'
import { type CertificateFacts, inspectTls, type TlsInspection } from '../registry/tls-inspection.js'
import { type CheckFinding, fine, problem, warning } from './finding.js'

const CONNECT_TIMEOUT_MS = 10_000
const LISTEN_MS = 300
const SOON_MS = 14 * 24 * 60 * 60 * 1000

/** A host as its connections are made. */
export interface CheckedHost {
  /** As in references. */
  readonly registry: string
  /** `https://` and the host with its port. */
  readonly url: URL
  readonly insecure: boolean
  readonly proxy: URL | undefined
  readonly tls: TlsSettings
  readonly now: Date
}

/** Resolves a host's name. Behind a proxy that is the proxy's matter. */
export async function checkName({ url, proxy }: CheckedHost): Promise<CheckFinding> {
  const name = hostnameOf(url.hostname)
  if (isIP(name) !== 0) return fine('name', `${name} is an address`)
  const started = performance.now()
  try {
    const addresses = (await lookup(name, { all: true })).map(entry => entry.address)
    return fine('name', `${name} is ${addresses.join(', ')} (${Math.round(performance.now() - started)} ms)`)
  } catch (error) {
    const { text, hint } = explainNetworkError(error, url)
    const message = text.replace(/^failed: /, '')
    if (proxy !== undefined) return warning('name', `${message}: its name is left to the proxy`)
    return problem('name', 'network', message, hint)
  }
}

/** Which proxy is used; its user and password are left out. */
export function checkProxy({ proxy }: CheckedHost): CheckFinding {
  return fine('proxy', proxy === undefined ? 'none is used' : `${proxy.protocol}//${proxy.host} is used`)
}

/** What settings say of another place and of mirrors, which are not asked here. */
export function checkRoute(registry: string, route: Route): CheckFinding[] {
  const elsewhere =
    route.registry === registry
      ? []
      : [fine('mirrors', `settings have ${route.registry} in the place of ${registry}`)]
  const names = route.mirrors.map(mirror => mirror.registry)
  return names.length === 0
    ? elsewhere
    : [...elsewhere, fine('mirrors', `pulls ask ${names.join(', ')} first, which is not looked at here`)]
}

/** Whether anybody listens at the port. Not asked behind a proxy, which connects by itself. */
export async function checkPort(host: CheckedHost, context: Context): Promise<CheckFinding | undefined> {
  if (host.proxy !== undefined) return undefined
  const ports = portsOf(host)
  let failure: unknown
  for (const port of ports) {
    try {
      await reach(hostnameOf(host.url.hostname), port, context.signal)
      return fine('port', `${port} is open`)
    } catch (error) {
      failure = error
    }
  }
  const { text } = explainNetworkError(failure, host.url)
  const advice = 'Check that the registry runs, its port, and the firewalls on the way'
  return problem('port', 'network', `${ports.join(' and ')}: ${text.replace(/^failed: /, '')}`, advice)
}

/** An insecure registry without a port may be at that of HTTP (rule R149). */
function portsOf({ url, insecure }: CheckedHost): number[] {
  if (url.port !== '') return [Number(url.port)]
  return insecure ? [443, 80] : [443]
}

async function reach(host: string, port: number, outer: AbortSignal): Promise<void> {
  using deadline = new Deadline(CONNECT_TIMEOUT_MS, outer)
  const { signal } = deadline
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port, signal })
    socket.once('error', error => {
      reject(signal.aborted ? Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' }) : error)
    })
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}

/** What a handshake showed. */
export interface TransportCheck {
  readonly findings: readonly CheckFinding[]
  /** Empty where TLS is not spoken. */
  readonly certificates: readonly CertificateFacts[]
}

/** Whether HTTP or HTTPS is spoken, and whether the certificate is worth anything. */
export async function checkTransport(host: CheckedHost, context: Context): Promise<TransportCheck> {
  const { url, registry, insecure, proxy, tls } = host
  try {
    const { context: secureContext } = tls
    const { signal } = context
    const options = { proxy, context: secureContext, listenMs: LISTEN_MS, signal }
    const inspected = await inspectTls(url, options)
    const { chain, protocol = 'TLS' } = inspected
    return {
      findings: [fine('transport', `HTTPS (${protocol})`), judge(inspected, host)],
      certificates: chain,
    }
  } catch (error) {
    const endpoint = { registry, base: url, insecure }
    const { text, code, hint } = explainNetworkError(error, url, endpoint)
    const message = text.replace(/^failed: /, '')
    const isClearText = code !== 'client-certificate' && insecure
    const finding = isClearText ? clearText(url) : problem('transport', 'network', message, hint)
    return { findings: [finding], certificates: [] }
  }
}

function clearText({ hostname }: URL): CheckFinding {
  if (isLoopback(hostname)) return fine('transport', 'HTTP, on this machine alone')
  return warning('transport', 'HTTP, in clear text: the registry is insecure')
}

function judge({ problem: code, chain }: TlsInspection, host: CheckedHost): CheckFinding {
  const { url, registry, insecure, now } = host
  const [leaf] = chain
  if (leaf === undefined) return warning('certificate', 'the server showed none')
  if (code === undefined) {
    const until = `until ${leaf.validTo.toISOString().slice(0, 10)}`
    const message = `for ${leaf.names.slice(0, 5).join(', ')}, by ${leaf.issuer}, ${until}`
    const isSoon = leaf.validTo.getTime() - now.getTime() < SOON_MS
    return isSoon
      ? warning('certificate', `${message}, which is soon`, 'Have it renewed')
      : fine('certificate', message)
  }
  const error = new CertificateError(code, url, chain, host.tls.folder)
  const explained = explainTlsError(error, code, url.hostname, registry, now)
  const message = explained?.text ?? `it is not trusted (${code})`
  if (insecure)
    return warning('certificate', `${message}; it is not looked at, since the registry is insecure`)
  return problem('certificate', 'network', message, explained?.hint)
}
