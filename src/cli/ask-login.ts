import { RegctlError, type StoredCredential, TOKEN_USER } from '../index.js'
import { prompt } from './prompt.js'
import { readSecret } from './read-secret.js'

/** What the flags of a login say of who it is. */
export interface LoginFlags {
  username?: string | undefined
  password?: string | undefined
  'password-stdin'?: boolean | undefined
  'identity-token-stdin'?: boolean | undefined
}

/** How to get what the flags leave open. */
export interface AskLoginOptions {
  registry: string
  /** Who is logged in so far. */
  known?: string | undefined
  signal: AbortSignal
}

/**
 * User name and password from the flags and standard input, else by asking at the terminal.
 *
 * @throws RegctlError `no-terminal` of kind `usage` when there is nobody to ask
 */
export async function askLogin(flags: LoginFlags, options: AskLoginOptions): Promise<StoredCredential> {
  const { registry, known, signal } = options
  if (flags['identity-token-stdin'] === true) {
    return { username: TOKEN_USER, secret: await readPassword(signal) }
  }
  const isComplete = flags['password-stdin'] === true || flags.password !== undefined
  if (process.stdin.isTTY !== true && !(isComplete && flags.username !== undefined)) {
    throw noTerminal(registry, flags.username)
  }
  const question =
    known === undefined ? `User name for ${registry}: ` : `User name for ${registry} (${known}): `
  const username = flags.username ?? ((await prompt(question, terminalOf(signal))).trim() || (known ?? ''))
  return { username, secret: flags.password ?? (await readPassword(signal)) }
}

/** The password at standard input: all of it, or at a terminal one line that is not shown. */
export async function readPassword(signal: AbortSignal): Promise<string> {
  if (process.stdin.isTTY !== true) return await readSecret(process.stdin)
  return await prompt('Password: ', { ...terminalOf(signal), hidden: true })
}

function terminalOf(signal: AbortSignal) {
  const interrupt = () => process.kill(process.pid, 'SIGINT')
  return { input: process.stdin, output: process.stderr, signal, interrupt }
}

function noTerminal(registry: string, username: string | undefined): RegctlError {
  const [missing, them] =
    username === undefined ? ['a user name and a password are', 'them'] : ['a password is', 'it']
  return new RegctlError(`${missing} needed for ${registry}, and there is no terminal to ask at`, {
    kind: 'usage',
    code: 'no-terminal',
    hint: `Give ${them} as in \`echo "$PASSWORD" | regctl login ${registry} --username ${username ?? 'NAME'} --password-stdin\``,
  })
}
