import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SeenRequest } from '../support/scripted-server.js'

export const USER = 'ada'
export const PASSWORD = 'c4nary pass/word+7f3a'
export const TOKEN = 'c4nary.token-5c1e'
export const BASIC_SECRET = Buffer.from(`${USER}:${PASSWORD}`).toString('base64')

/** Each form in which a secret could turn up. */
const FORMS = [PASSWORD, TOKEN].flatMap(secret => [
  secret,
  Buffer.from(secret).toString('base64'),
  Buffer.from(secret).toString('hex'),
  encodeURIComponent(secret),
  new URLSearchParams({ x: secret }).toString().slice(2),
])
const SECRETS = [...FORMS, BASIC_SECRET, 'c4nary']

/** What of a text must not be there. */
export function secretsIn(text: string): string[] {
  return SECRETS.filter(secret => text.includes(secret))
}

/** Where the processes of this machine show a secret to whoever looks. Nothing where there is no /proc. */
export async function secretsInProcesses(): Promise<string[]> {
  const found: string[] = []
  for (const id of (await readdir('/proc').catch(() => [])).filter(name => /^\d+$/.test(name))) {
    for (const file of ['cmdline', 'environ']) {
      // A process may have ended, or belong to somebody else.
      const text = await readFile(`/proc/${id}/${file}`, 'utf8').catch(() => '')
      if (secretsIn(text).length > 0) found.push(`${file} of ${text.replaceAll('\0', ' ').slice(0, 80)}`)
    }
  }
  return found
}

/** The files below a folder that hold a secret, but for those that a test put there or a login keeps. */
export async function filesWithSecrets(folder: string, allowed: readonly string[]): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const found: string[] = []
  for (const entry of entries.filter(entry => entry.isFile())) {
    const path = join(entry.parentPath, entry.name)
    if (allowed.includes(path)) continue
    if (secretsIn(path).length + secretsIn(await readFile(path, 'latin1')).length > 0) found.push(path)
  }
  return found
}

/** A request as a server could write it into its answer, with what it makes of the credentials. */
export function echoOf({ method, path, headers, body }: SeenRequest): string {
  const authorization = headers.authorization ?? ''
  const [, value = ''] = authorization.split(' ')
  const decoded = Buffer.from(value, 'base64').toString('utf8')
  const lines = Object.entries(headers).map(([name, text]) => `${name}: ${text}`)
  return [value, decoded, encodeURIComponent(authorization), `${method} ${path}`, ...lines, `${body}`].join(
    '\n',
  )
}
