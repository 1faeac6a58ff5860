import { sanitize } from './error-body.js'
import type { CertificateFacts } from './tls-inspection.js'

/** A certificate was refused, with what it says of itself. */
export class CertificateError extends Error {
  /** Node's: `CERT_HAS_EXPIRED`. */
  readonly code: string
  /** Whose it is: after a redirect that is another host than the one that was asked first. */
  readonly url: URL
  /** From the server's own certificate up; empty when it could not be had. */
  readonly chain: readonly CertificateFacts[]

  /** The host's `certs.d` folder, where it has one. */
  readonly folder: string | undefined

  constructor(code: string, url: URL, chain: readonly CertificateFacts[], folder?: string, cause?: unknown) {
    super(`the certificate was refused (${code})`, { cause })
    this.code = code
    this.url = url
    this.chain = chain
    this.folder = folder
  }
}

const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
])
const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID'
const WRONG_TIME = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])
/** The alerts of a server that wants to see another certificate; OpenSSL names those of TLS 1.2 after SSL 3. */
const CLIENT_CERTIFICATE =
  /alert (?:certificate (?:required|unknown|expired|revoked)|bad certificate|handshake failure|unknown ca|access denied)/i

/** Whether an error's code says that a certificate was not accepted. */
export function isCertificateCode(code: string): boolean {
  return UNKNOWN_AUTHORITY.has(code) || WRONG_TIME.has(code) || code === WRONG_NAME
}

/** Whether an error is the alert of a server that wants to see another client certificate. */
export function isClientCertificateAlert(error: unknown): boolean {
  return error instanceof Error && CLIENT_CERTIFICATE.test(error.message)
}

/** What a failure of TLS means, with its code and what to do. */
export interface TlsFailure {
  text: string
  code: string
  hint: string
}

/**
 * Tells what is wrong with TLS to a host (rule R153).
 *
 * @param name the host as its `certs.d` folder is named
 * @returns undefined when it is something else
 */
export function explainTlsError(
  error: Error,
  code: string,
  hostname: string,
  name: string,
  now = new Date(),
): TlsFailure | undefined {
  const chain = error instanceof CertificateError ? error.chain : []
  // OpenSSL's words are in the message, with Node's code or only `EPROTO` beside them.
  if (isClientCertificateAlert(error)) return clientCertificate(error.message, name)
  if (
    /wrong version number|packet length too long|http request/i.test(error.message) ||
    HTTP_TO_HTTPS.has(code)
  ) {
    return {
      text: 'server gave HTTP response to HTTPS client',
      code: 'http-response',
      hint: `Pass --insecure-registry ${name} if it really is to be spoken to in clear text`,
    }
  }
  if (UNKNOWN_AUTHORITY.has(code)) return unknownAuthority(error, code, chain, name)
  if (code === WRONG_NAME) return wrongName(chain[0], hostname)
  if (WRONG_TIME.has(code)) return wrongTime(chain, now)
  return otherAlert(error.message, name)
}

/** Any other alert, less all that OpenSSL says around it. */
function otherAlert(message: string, name: string): TlsFailure | undefined {
  const alert = /:(?:ssl\/tls|sslv3|tlsv1(?:\.3)?) alert ([a-z ]+):/i.exec(message)?.[1]
  if (alert === undefined) return undefined
  return {
    text: `the server refuses to speak TLS (${alert})`,
    code: 'tls-refused',
    hint: `Check the name and port of ${name}; its version of TLS may be too old to be safe`,
  }
}

const HTTP_TO_HTTPS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_UNKNOWN_PROTOCOL',
  'ERR_SSL_HTTP_REQUEST',
])

/** The files that make a host's certificate trusted, in the words of a hint. Of several folders only one counts. */
function trustHint(name: string, folder: string | undefined): string {
  const files =
    folder === undefined
      ? `/etc/docker/certs.d/${name}/ca.crt or ~/.config/docker/certs.d/${name}/ca.crt`
      : `${folder}/ca.crt`
  return `Put the certificate of its authority into ${files}, or pass it with --ca-file FILE`
}

function unknownAuthority(
  error: Error,
  code: string,
  chain: readonly CertificateFacts[],
  name: string,
): TlsFailure {
  const [leaf] = chain
  const folder = error instanceof CertificateError ? error.folder : undefined
  const isOwn = code === 'DEPTH_ZERO_SELF_SIGNED_CERT'
  const who =
    leaf === undefined || leaf.issuer === '' ? '' : isOwn ? ' (it signed itself)' : ` (${shown(leaf.issuer)})`
  return {
    text: `certificate signed by unknown authority${who}`,
    code: 'unknown-authority',
    hint: `${trustHint(name, folder)}. --insecure-registry ${name} does without checking it`,
  }
}

function wrongName(leaf: CertificateFacts | undefined, hostname: string): TlsFailure {
  const names = (leaf?.names ?? []).map(shown)
  const more = names.length > 5 ? ` and ${names.length - 5} more` : ''
  const list = names.length === 0 ? '' : `: it is for ${names.slice(0, 5).join(', ')}${more}`
  return {
    text: `the certificate is not for ${hostname}${list}`,
    code: 'certificate-wrong-name',
    hint:
      names.length === 0
        ? 'The registry needs a certificate that has its name among the subject alternative names'
        : 'Name the registry by a name that its certificate has, or give it a certificate with this name',
  }
}

function wrongTime(chain: readonly CertificateFacts[], now: Date): TlsFailure {
  const clock = `The clock of this machine says ${now.toISOString().slice(0, 16)}Z`
  const expired = chain.find(({ validTo }) => validTo < now)
  const early = chain.find(({ validFrom }) => validFrom > now)
  const which = (found: CertificateFacts) =>
    found === chain[0] ? 'the certificate' : `the certificate of ${shown(found.subject)}`
  if (early !== undefined) {
    return {
      text: `${which(early)} is not yet valid: it is from ${dateOf(early.validFrom)} on`,
      code: 'certificate-not-yet-valid',
      hint: `${clock}: set it if that is wrong`,
    }
  }
  const since = expired === undefined ? '' : ` on ${dateOf(expired.validTo)}`
  return {
    text: `${expired === undefined ? 'the certificate' : which(expired)} has expired${since}`,
    code: 'certificate-expired',
    hint: `${clock}: set it if that is wrong, or have the certificate of the registry renewed`,
  }
}

function dateOf(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

function clientCertificate(message: string, name: string): TlsFailure {
  const isRefused = /certificate (?:unknown|expired|revoked)|unknown ca|access denied/i.test(message)
  return {
    text: isRefused
      ? 'the server does not accept the client certificate'
      : 'the server asks for a client certificate',
    code: 'client-certificate',
    hint: clientCertificateHint(name),
  }
}

/**
 * Tells the answers by which servers refuse a connection that TLS itself let through: nginx wants a client certificate
 * only then, and clear text at the port of HTTPS gets an answer in clear text (rule R153).
 *
 * @param text what the answer says, for people
 * @returns undefined for another answer
 */
export function explainTlsAnswer(status: number, text: string, name: string): TlsFailure | undefined {
  if (status < 400 || status >= 500) return undefined
  if (/no required SSL certificate was sent|SSL certificate error/i.test(text)) {
    const verb = /no required/i.test(text) ? 'asks for a' : 'does not accept the'
    const said = `the server ${verb} client certificate`
    return { text: said, code: 'client-certificate', hint: clientCertificateHint(name) }
  }
  if (/HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port/i.test(text)) {
    const hint = `Nothing was asked of ${name} by HTTPS: see what \`regctl doctor ${name}\` says`
    return { text: 'the server speaks HTTPS, and was asked in clear text', code: 'https-expected', hint }
  }
  return undefined
}

/** How to show a client certificate. */
function clientCertificateHint(name: string): string {
  return (
    'Pass --cert-file FILE and --key-file FILE, or put them into ' +
    `/etc/docker/certs.d/${name}/ or ~/.config/docker/certs.d/${name}/ as client.cert and client.key`
  )
}

function shown(text: string): string {
  const clean = sanitize(text)
  return clean.length > 100 ? `${clean.slice(0, 100)}…` : clean
}
