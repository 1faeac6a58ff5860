import { messageOf, systemCodeOf } from '../errors.js'
import { INTERNAL_ADDRESS_CODE } from './addresses.js'
import { sanitize } from './error-body.js'

/** What a failure without an answer means. */
export interface NetworkFailure {
  /** Continues `GET host/path `: `got no answer: connection refused`. */
  text: string
  code: string
  hint?: string
  /** How often it is worth trying again: as often as allowed, once (a registry that is just starting), or never. */
  retry: 'yes' | 'once' | 'no'
  /** A kept connection that the server had closed already (rule R250). */
  isReset: boolean
}

const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
])
const HTTP_TO_HTTPS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_UNKNOWN_PROTOCOL',
])
const RESET = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])
const TIMEOUT = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
])

/** Tells from the error of a socket or of undici what happened (rules R153, R237). */
export function explainNetworkError(error: unknown, url: URL): NetworkFailure {
  const code = codeOf(error)
  const final = (text: string, name: string, hint?: string): NetworkFailure => ({
    text,
    code: name,
    ...(hint !== undefined && { hint }),
    retry: 'no',
    isReset: false,
  })
  const insecureHint = `Pass --insecure-registry ${url.host} if this is a registry without a proper certificate`
  // Node 20 gives the reason in the message alone.
  const isClearText =
    code === 'EPROTO' && /wrong version number|packet length too long/i.test(messageOf(deepest(error)))
  if (HTTP_TO_HTTPS.has(code) || isClearText) {
    return final('failed: server gave HTTP response to HTTPS client', 'http-response', insecureHint)
  }
  if (UNKNOWN_AUTHORITY.has(code)) {
    return final(
      'failed: certificate signed by unknown authority',
      'unknown-authority',
      `Add the authority with --ca-file. ${insecureHint}`,
    )
  }
  if (code === 'CERT_HAS_EXPIRED')
    return final('failed: the certificate has expired', 'certificate-expired', insecureHint)
  if (code === 'CERT_NOT_YET_VALID') {
    return final(
      'failed: the certificate is not yet valid',
      'certificate-not-yet-valid',
      'Check the clock of this machine',
    )
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return final(`failed: the certificate is not for ${url.hostname}`, 'certificate-wrong-name', insecureHint)
  }
  if (code === INTERNAL_ADDRESS_CODE)
    return final(`was refused: ${sanitize(messageOf(deepest(error)))}`, 'unsafe-url')
  if (code === 'ENOTFOUND') {
    return final(
      `failed: no such host ${url.hostname}`,
      'no-such-host',
      'Check the spelling of the registry and the name server',
    )
  }
  const again = (text: string, name: string, retry: 'yes' | 'once', isReset = false): NetworkFailure => ({
    text,
    code: name,
    retry,
    isReset,
  })
  if (code === 'EAI_AGAIN') return again(`failed: the name server did not answer`, 'name-server', 'yes')
  if (code === 'ECONNREFUSED') return again('failed: connection refused', 'connection-refused', 'once')
  if (TIMEOUT.has(code)) return again('failed: timed out', 'timeout', 'yes')
  if (RESET.has(code)) return again('failed: the connection was closed', 'connection-reset', 'yes', true)
  if (code.startsWith('UND_ERR_RES_') || code.startsWith('HPE_')) {
    return again('failed: the answer broke off or was malformed', 'bad-answer', 'yes')
  }
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH')
    return again('failed: the host cannot be reached', 'unreachable', 'once')
  if (/terminated|other side closed|aborted|premature close/i.test(messageOf(error))) {
    return again('failed: the connection was closed', 'connection-reset', 'yes', true)
  }
  return final(
    `failed: ${sanitize(messageOf(error)).slice(0, 200)}${code === '' ? '' : ` (${code})`}`,
    'network',
  )
}

/** The most telling code: undici wraps the socket's error, and Node wraps one error for each address. */
function codeOf(error: unknown): string {
  return systemCodeOf(deepest(error)) ?? systemCodeOf(error) ?? ''
}

function deepest(error: unknown, depth = 0): unknown {
  if (depth > 5) return error
  if (error instanceof AggregateError && error.errors.length > 0) return deepest(error.errors[0], depth + 1)
  if (error instanceof Error && error.cause instanceof Error && systemCodeOf(error.cause) !== undefined) {
    return deepest(error.cause, depth + 1)
  }
  return error
}
