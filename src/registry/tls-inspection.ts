import { once } from 'node:events'
import { isIP, type LookupFunction } from 'node:net'
import { connect, type PeerCertificate, type SecureContext, type TLSSocket } from 'node:tls'
import { Deadline } from '../deadline.js'
import { placeOf } from '../http/connecting.js'
import { openTunnel } from '../http/tunnel.js'

/** What a certificate says of itself. All text is the server's. */
export interface CertificateFacts {
  readonly subject: string
  readonly issuer: string
  /** The host names and addresses that it is for. */
  readonly names: readonly string[]
  readonly validFrom: Date
  readonly validTo: Date
}

/** What a TLS handshake showed. */
export interface TlsInspection {
  /** Why the certificate is not trusted, as Node's code for it; undefined when it is. */
  readonly problem: string | undefined
  /** `TLSv1.3` */
  readonly protocol: string | undefined
  /** From the server's own certificate up; empty when it showed none. */
  readonly chain: readonly CertificateFacts[]
}

/** How to connect for {@link inspectTls}. */
export interface InspectionOptions {
  proxy: URL | undefined
  /** Trust, as for real connections; Node's own when undefined. */
  context?: SecureContext | undefined
  lookup?: LookupFunction | undefined
  /**
   * How long to listen after the handshake: in TLS 1.3 a server only then says that it wants a client certificate. Not at
   * all when not given.
   */
  listenMs?: number
  signal: AbortSignal
}

const TIMEOUT_MS = 10_000
const LONGEST_CHAIN = 10

/**
 * Makes one TLS handshake with a host to see its certificate, whatever that is worth. Nothing is sent over the
 * connection, which is closed at once.
 *
 * @throws the socket's error when there is no handshake, or the server ends it with an alert; what {@link openTunnel} throws
 */
export async function inspectTls(url: URL, options: InspectionOptions): Promise<TlsInspection> {
  using deadline = new Deadline(TIMEOUT_MS, options.signal)
  const { signal } = deadline
  const place = placeOf(url)
  const tunneling = { timeoutMs: TIMEOUT_MS, signal }
  const tunnel = options.proxy === undefined ? undefined : await openTunnel(url, options.proxy, tunneling)
  signal.throwIfAborted()
  const socket = connect({
    ...place,
    // What is found is shown to people; it decides nothing.
    rejectUnauthorized: false,
    ...(tunnel !== undefined && { socket: tunnel }),
    ...(options.lookup !== undefined && { lookup: options.lookup }),
    ...(options.context !== undefined && { secureContext: options.context }),
    // An address is no server name (rule R165).
    ...(isIP(place.host) === 0 && { servername: place.host }),
  })
  const abort = () => socket.destroy(new Error('the handshake took too long'))
  signal.addEventListener('abort', abort, { once: true })
  try {
    await once(socket, 'secureConnect')
    const facts = factsOf(socket)
    if (options.listenMs !== undefined) await listen(socket, options.listenMs)
    return facts
  } finally {
    signal.removeEventListener('abort', abort)
    socket.on('error', () => {}).destroy()
    tunnel?.destroy()
  }
}

/** Rejects with what the server says of its own accord. */
async function listen(socket: TLSSocket, delayMs: number): Promise<void> {
  using patience = new Deadline(delayMs)
  socket.resume()
  try {
    await once(socket, 'close', { signal: patience.signal })
  } catch (error) {
    if (!patience.signal.aborted) throw error
  }
}

function factsOf(socket: TLSSocket): TlsInspection {
  const chain: CertificateFacts[] = []
  let certificate = socket.getPeerCertificate(true)
  // The last one is its own issuer.
  while (certificate?.raw !== undefined && chain.length < LONGEST_CHAIN) {
    chain.push(certificateFacts(certificate))
    if (certificate.issuerCertificate === certificate) break
    certificate = certificate.issuerCertificate
  }
  const problem = socket.authorizationError as unknown as string | Error | undefined | null
  return {
    problem:
      problem === null || problem === undefined
        ? undefined
        : String(problem instanceof Error ? problem.message : problem),
    protocol: socket.getProtocol() ?? undefined,
    chain,
  }
}

/** Of a certificate as Node gives it. */
export function certificateFacts(certificate: PeerCertificate): CertificateFacts {
  const { CN } = certificate.subject
  const names = (certificate.subjectaltname ?? '')
    .split(', ')
    .map(name => name.replace(/^(?:DNS|IP Address):/, ''))
    .filter(name => name !== '')
  return {
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    names: names.length > 0 || CN === undefined ? names : [CN].flat(),
    validFrom: new Date(certificate.valid_from),
    validTo: new Date(certificate.valid_to),
  }
}

function distinguishedName(name: PeerCertificate['subject'] | undefined): string {
  return Object.entries(name ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(', ')
}
