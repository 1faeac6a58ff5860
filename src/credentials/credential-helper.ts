import { spawn } from 'node:child_process'
import { isObject } from '../content/manifest.js'
import { systemCodeOf } from '../errors.js'
import { CredentialError } from './credential-error.js'
import type { Credential } from './credential-store.js'

/** A human may have to touch a key (rule R137). */
const TIME_LIMIT_MS = 30_000
const OUTPUT_LIMIT_BYTES = 1024 * 1024
const NOT_FOUND = 'credentials not found in native keychain'

/** What a helper is asked. */
export interface HelperRequest {
  /** The end of the program's name: `pass` for `docker-credential-pass`. */
  helper: string
  /** Under which name the credentials are kept there. */
  server: string
  /** Which file names the helper, for messages. */
  from: string
  /** Takes one line when the helper is not installed: the registry is then asked without credentials (rule R136). */
  warn(message: string): void
  /** Tests pass their own. */
  timeLimitMs?: number
  environment?: NodeJS.ProcessEnv
}

/**
 * Asks a Docker credential helper (docker-credential-helpers, `get`; rules R133 to R137). No shell is involved.
 *
 * @returns undefined when it has nothing for the server, or is not installed
 * @throws CredentialError `helper-failed` when it fails, takes too long or answers with something else
 */
export async function runHelper(request: HelperRequest): Promise<Credential | undefined> {
  const { helper, server, from, warn } = request
  const program = `docker-credential-${helper}`
  const fail = (why: string) =>
    new CredentialError(`the credential helper of ${from} failed for ${printable(server)}: ${why}`, {
      kind: 'denied',
      code: 'helper-failed',
      hint: `Run \`${printable(program)} get\` by hand, or log in again`,
    })
  if (!/^[A-Za-z0-9_.-]+$/.test(helper)) throw fail('its name has characters that no program name has')
  if (/[\x00-\x1f\x7f]/.test(server)) throw fail('the name of the registry has control characters')
  let answer: { code: number | null; output: string } | 'too long' | 'too much'
  try {
    answer = await run(program, server, request)
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw fail(systemCodeOf(error) ?? 'it did not start')
    warn(`${program}, which ${from} names, is not installed: going on without credentials`)
    return undefined
  }
  if (answer === 'too long') throw fail('it took too long')
  if (answer === 'too much') throw fail('it wrote too much')
  if (answer.code !== 0) {
    const message = answer.output.trim()
    if (message === NOT_FOUND) return undefined
    // What it wrote is not shown whole, since a helper may write anything, and not at all if it is an answer.
    const isAnswer = message.startsWith('{')
    throw fail(message === '' || isAnswer ? `it ended with ${answer.code}` : printable(message))
  }
  return readAnswer(answer.output, `${program} (${from})`, fail)
}

function readAnswer(
  output: string,
  from: string,
  fail: (why: string) => CredentialError,
): Credential | undefined {
  let document: unknown
  try {
    document = JSON.parse(output)
  } catch {
    throw fail('its answer is no JSON')
  }
  if (!isObject(document)) throw fail('its answer is no JSON object')
  const { Username: username = '', Secret: secret = '' } = document
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw fail('its answer has no user name and secret')
  if (username === '' && secret === '') return undefined
  if (username === '<token>') return { kind: 'identity-token', token: secret, from }
  return { kind: 'password', username, password: secret, from }
}

function run(
  program: string,
  server: string,
  { timeLimitMs = TIME_LIMIT_MS, environment = process.env }: HelperRequest,
): Promise<{ code: number | null; output: string } | 'too long' | 'too much'> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: environment,
      shell: false,
    })
    const chunks: Buffer[] = []
    let size = 0
    let verdict: 'too long' | 'too much' | undefined
    const timer = setTimeout(() => {
      verdict = 'too long'
      // What it started in turn may hold the pipe open, so nobody waits for the pipe to close.
      child.kill('SIGKILL')
      child.stdout.destroy()
    }, timeLimitMs)
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= OUTPUT_LIMIT_BYTES) chunks.push(chunk)
      else {
        verdict = 'too much'
        child.kill('SIGKILL')
      }
    })
    child.stdin.on('error', () => {
      // It ended without reading what it was asked: its answer tells.
    })
    child.once('error', error => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', code => {
      clearTimeout(timer)
      resolve(verdict ?? { code, output: Buffer.concat(chunks).toString('utf8') })
    })
    child.stdin.end(server)
  })
}

function printable(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]+/g, ' ')
  return clean.length > 200 ? `${clean.slice(0, 200)}…` : clean
}
