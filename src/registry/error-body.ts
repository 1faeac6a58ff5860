import { isObject } from '../content/manifest.js'

/** The most bytes of an error's body that are read (rule R236). */
export const ERROR_BODY_LIMIT_BYTES = 64 * 1024
const SHOWN_LENGTH = 300

/** What the body of an error says. */
export interface ErrorBody {
  /** The registry's codes, in order; empty when there are none. */
  codes: readonly string[]
  /** For people: `NAME_UNKNOWN: repository name not known`; empty when the body says nothing. */
  text: string
}

/**
 * Reads an error's body, whatever its form: the distribution-spec's `errors`, a token server's `error` or `details`,
 * plain text or HTML (rules R7, R8; distribution-spec, Error Codes).
 */
export function readErrorBody(bytes: Uint8Array): ErrorBody {
  const text = new TextDecoder().decode(bytes)
  const document = tryJson(text)
  if (!isObject(document)) return { codes: [], text: excerpt(plainText(text)) }
  if (Array.isArray(document.errors)) {
    const errors = document.errors.filter(isObject)
    const codes = errors.map(error => error.code).filter(code => typeof code === 'string')
    const parts = errors.map(error => {
      const detail = typeof error.detail === 'string' ? error.detail : ''
      const message = typeof error.message === 'string' && error.message !== '' ? error.message : detail
      return [error.code, message].filter(part => typeof part === 'string' && part !== '').join(': ')
    })
    return { codes: codes.map(code => sanitize(code)), text: excerpt(parts.filter(Boolean).join('; ')) }
  }
  const code = typeof document.error === 'string' ? document.error : undefined
  const words = [code, document.error_description ?? document.details ?? document.message]
  return {
    codes: code === undefined ? [] : [sanitize(code)],
    text: excerpt(words.filter(word => typeof word === 'string' && word !== '').join(': ')),
  }
}

/** A status with what the body of the answer says: `503 (UNAVAILABLE: busy)`. Pages of proxies repeat the status. */
export function describeStatus(status: number, bytes: Uint8Array): string {
  const { text } = readErrorBody(bytes)
  const words = text.startsWith(`${status} `) ? text.slice(4) : text
  return words === '' ? String(status) : `${status} (${words})`
}

/** Takes control, bidirectional and line characters out of text that came from a server (rule R231). */
export function sanitize(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ').trim()
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function plainText(text: string): string {
  // Object stores answer with XML.
  const words = ['Code', 'Message'].flatMap(
    name => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? [],
  )
  if (words.length > 0) return words.join(': ')
  if (!/<(?:!doctype|html|\?xml|head|body)/i.test(text)) return text
  return /<title>([^<]*)<\/title>/i.exec(text)?.[1] ?? 'an HTML page'
}

function excerpt(text: string): string {
  const clean = redactSecrets(sanitize(text)).replace(/ +/g, ' ')
  return clean.length > SHOWN_LENGTH ? `${clean.slice(0, SHOWN_LENGTH)}…` : clean
}

/** Servers repeat what they were sent: tokens and signed queries in their words are hidden (rule R219). */
function redactSecrets(text: string): string {
  return text
    .replace(/(Bearer|Basic) +[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [redacted]')
    .replace(/([?&](?:X-Amz-[A-Za-z-]+|sig|se|_state|token|code)=)[^&\s"']+/gi, '$1[redacted]')
}
