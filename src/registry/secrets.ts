import type { Credential } from '../credentials/credential-store.js'
import { isSuccess, type RegistryResponse, type Send } from './send.js'

/** Shorter ones would turn up in ordinary words. */
const SHORTEST_LENGTH = 4
/** What people get to read out of a response besides an error's body. */
const SHOWN_HEADERS = ['warning', 'www-authenticate']

/**
 * What must not be shown, whoever says it: servers repeat what they were sent (rule R219). The client adds each
 * credential and each token before it is used.
 */
export class Secrets {
  readonly #texts = new Set<string>()

  /** Adds a secret with the forms in which it travels. */
  add(secret: string): void {
    if (secret.length < SHORTEST_LENGTH) return
    const form = new URLSearchParams({ '': secret }).toString().slice(1)
    const forms = [secret, encodeURIComponent(secret), form, JSON.stringify(secret).slice(1, -1)]
    for (const text of [...forms, Buffer.from(secret).toString('base64')]) this.#texts.add(text)
  }

  /** Adds what a credential holds, and what Basic makes of it. */
  addCredential(credential: Credential): void {
    if (credential.kind !== 'password') {
      this.add(credential.token)
      return
    }
    this.add(credential.password)
    this.add(`${credential.username}:${credential.password}`)
  }

  /** The text with `[redacted]` in place of every secret. */
  redact(text: string): string {
    let clean = text
    // A secret may hold another one: the longer goes first.
    for (const secret of [...this.#texts].sort((one, other) => other.length - one.length)) {
      clean = clean.replaceAll(secret, '[redacted]')
    }
    return clean
  }
}

/** Takes the secrets out of what servers say: the body of an error, warnings and challenges. */
export function withoutSecrets(next: Send, secrets: Secrets): Send {
  return async request => {
    const response = await next(request)
    return { ...response, headers: cleanHeaders(response, secrets), bytes: cleanBytes(response, secrets) }
  }
}

function cleanHeaders({ headers }: RegistryResponse, secrets: Secrets): RegistryResponse['headers'] {
  const shown = SHOWN_HEADERS.filter(name => headers[name] !== undefined)
  if (shown.length === 0) return headers
  const clean = (value: unknown) => (typeof value === 'string' ? secrets.redact(value) : value)
  const cleaned = shown.map(name => {
    const value = headers[name]
    return [name, Array.isArray(value) ? value.map(clean) : clean(value)]
  })
  return { ...headers, ...Object.fromEntries(cleaned) }
}

function cleanBytes({ status, bytes }: RegistryResponse, secrets: Secrets): Buffer {
  return isSuccess(status) || bytes.length === 0 ? bytes : Buffer.from(secrets.redact(bytes.toString('utf8')))
}
