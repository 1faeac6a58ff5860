import { messageOf, systemCodeOf } from '../errors.js'
import { HEAD_LIMIT_BYTES } from '../http/head.js'
import { HttpError } from '../http/http-error.js'
import { StallError } from '../http/stall-clock.js'
import { INTERNAL_ADDRESS_CODE } from './addresses.js'
import { sanitize } from './error-body.js'
import type { Endpoint } from './send.js'
import { CertificateError, explainTlsError } from './tls-error.js'

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

const RESET = new Set(['ECONNRESET', 'EPIPE', 'HTTP_CLOSED'])
/** With what they mean. Of answers and bodies {@link StallError} tells. */
const TIMEOUT = new Map([
  ['ETIMEDOUT', 'timed out'],
  ['HTTP_CONNECT_TIMEOUT', 'there was no connection in time'],
  ['HTTP_PROXY_TIMEOUT', 'the proxy did not answer in time'],
])
const REFUSED_HINT = 'Check that a registry runs there, and its port'
const ROUTE_HINT = 'Check the network; where it needs a proxy, name that in HTTPS_PROXY'
const CLOSED_HINT =
  'The registry or something on the way, such as a proxy, closes connections; `--debug` shows which'
const STALL_HINT = 'Where the registry needs longer, give it with `--stall-timeout`'

const PROXY_HINTS = new Map([
  [407, 'Put user name and password for the proxy into HTTPS_PROXY: http://NAME:PASSWORD@HOST:PORT'],
  [403, 'The proxy does not let this host through; where it is reached without, name it in NO_PROXY'],
  [502, 'The proxy does not reach this host; where it is reached without, name it in NO_PROXY'],
  [503, 'The proxy does not reach this host; where it is reached without, name it in NO_PROXY'],
])

/**
 * Tells from the error of a connection what happened (rules R153, R237).
 *
 * @param endpoint the registry that was to be reached: its files have the name that it was called by
 */
export function explainNetworkError(error: unknown, url: URL, endpoint?: Endpoint): NetworkFailure {
  const code = codeOf(error)
  const final = (text: string, name: string, hint?: string): NetworkFailure => ({
    text,
    code: name,
    ...(hint !== undefined && { hint }),
    retry: 'no',
    isReset: false,
  })
  const telling = deepest(error)
  const asked = telling instanceof CertificateError ? telling.url : url
  const name = endpoint !== undefined && asked.host === endpoint.base.host ? endpoint.registry : asked.host
  const tls = telling instanceof Error ? explainTlsError(telling, code, asked.hostname, name) : undefined
  if (tls !== undefined) {
    const where = asked.host === url.host ? '' : `at ${asked.host}: `
    return final(`failed: ${where}${tls.text}`, tls.code, tls.hint)
  }
  const proxied = telling instanceof HttpError ? telling.status : undefined
  if (proxied !== undefined)
    return final(`failed: the proxy answered ${proxied}`, 'proxy', PROXY_HINTS.get(proxied))
  if (code === INTERNAL_ADDRESS_CODE)
    return final(`was refused: ${sanitize(messageOf(telling))}`, 'unsafe-url')
  if (code === 'ENOTFOUND') {
    return final(
      `failed: no such host ${url.hostname}`,
      'no-such-host',
      'Check the spelling of the registry and the name server',
    )
  }
  const again = (text: string, name: string, hint: string, more: Partial<NetworkFailure> = {}) => ({
    ...final(text, name, hint),
    retry: 'yes' as const,
    ...more,
  })
  const once = { retry: 'once' } as const
  if (code === 'EAI_AGAIN') return again('failed: the name server did not answer', 'name-server', ROUTE_HINT)
  if (code === 'ECONNREFUSED')
    return again('failed: connection refused', 'connection-refused', REFUSED_HINT, once)
  if (telling instanceof StallError) return again(`failed: ${telling.message}`, 'stalled', STALL_HINT)
  const timeout = TIMEOUT.get(code)
  if (timeout !== undefined) return again(`failed: ${timeout}`, 'timeout', ROUTE_HINT)
  if (RESET.has(code) || /terminated|other side closed|aborted|premature close/i.test(messageOf(error)))
    return again('failed: the connection was closed', 'connection-reset', CLOSED_HINT, { isReset: true })
  if (code === 'HTTP_HEAD_TOO_LARGE')
    return final(`failed: the answer has more than ${HEAD_LIMIT_BYTES / 1024} KiB of headers`, 'bad-answer')
  if (code === 'HTTP_MALFORMED')
    return again('failed: what came is no HTTP', 'bad-answer', REFUSED_HINT, once)
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH')
    return again('failed: the host cannot be reached', 'unreachable', ROUTE_HINT, once)
  return final(
    `failed: ${sanitize(messageOf(error)).slice(0, 200)}${code === '' ? '' : ` (${code})`}`,
    'network',
  )
}

/** The most telling code: Node wraps one error for each address. */
function codeOf(error: unknown): string {
  return systemCodeOf(deepest(error)) ?? systemCodeOf(error) ?? ''
}

function deepest(error: unknown, depth = 0): unknown {
  if (depth > 5) return error
  if (error instanceof AggregateError && error.errors.length > 0) return deepest(error.errors[0], depth + 1)
  // It has the code of its cause, and more.
  if (error instanceof CertificateError) return error
  if (error instanceof Error && error.cause instanceof Error && systemCodeOf(error.cause) !== undefined) {
    return deepest(error.cause, depth + 1)
  }
  return error
}
