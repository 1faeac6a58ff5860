import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../content/manifest.js'
import { withLock } from '../files/lock-file.js'
import { refuseControls } from './control-characters.js'
import { CredentialError } from './credential-error.js'
import type { CredentialStore, StoredCredential } from './credential-store.js'
import { noKeychain } from './keychain-errors.js'
import { KeychainSession } from './keychain-session.js'
import { registryOf, serverOf } from './registry-keys.js'
import { findSessionBus } from './session-bus.js'

/** The most that Windows keeps in one entry (`CRED_MAX_CREDENTIAL_BLOB_SIZE`), as UTF-16. */
const WINDOWS_LIMIT_BYTES = 2560

/** How long to wait for others who store something: each of them may have to unlock the keychain first. */
const LOCK_PATIENCE_MS = 120_000

/** How to open the keychain; everything has a default. */
export interface KeychainOptions {
  /** Default: that of this process. */
  environment?: NodeJS.ProcessEnv
  /** Default: the one we run on. */
  platform?: NodeJS.Platform
  /** How long a prompt to unlock the keychain may stand. Default: 30 s. */
  promptLimitMs?: number
  /** The program that speaks to the keychain; tests pass their own. */
  worker?: URL
}

/**
 * Opens the keychain of the system: Keychain on macOS, Credential Manager on Windows, elsewhere the Secret Service.
 * An entry has the service `regctl` and the server as its account (`username` in `secret-tool`), as in
 * `secret-tool lookup service regctl username localhost:5000`; what it keeps is JSON with `Username` and `Secret`.
 *
 * @returns calls on it throw CredentialError `keychain-locked` when nobody unlocks it, `keychain-failed`
 * @throws CredentialError `no-keychain` when there is none; within 2 s where nothing answers at all
 * @example
 * const keychain = await openKeychain()
 * await keychain.store('localhost:5000', { username: 'ada', secret: 'correct horse' })
 */
export async function openKeychain(options: KeychainOptions = {}): Promise<CredentialStore> {
  const { platform = process.platform, environment = process.env, promptLimitMs } = options
  const label = `the keychain (${systemName(platform)})`
  const worker = options.worker ?? new URL('./keychain-worker.js', import.meta.url)
  const session = { label, platform, worker, requestLimitMs: promptLimitMs }
  if (platform === 'darwin' || platform === 'win32')
    return new Keychain(label, platform, await KeychainSession.open({ ...session, environment }))
  const bus = await findSessionBus(environment)
  if ('missing' in bus) throw noKeychain(bus.missing, platform)
  const onBus = { ...environment, DBUS_SESSION_BUS_ADDRESS: bus.address }
  const opened = await KeychainSession.open({ ...session, environment: onBus })
  return new Keychain(label, platform, opened, environment.XDG_RUNTIME_DIR)
}

function systemName(platform: NodeJS.Platform): string {
  if (platform === 'darwin') return 'macOS Keychain'
  return platform === 'win32' ? 'Windows Credential Manager' : 'Secret Service'
}

class Keychain implements CredentialStore {
  readonly label: string
  readonly #platform: NodeJS.Platform
  readonly #session: KeychainSession
  readonly #lockFolder: string | undefined

  /** @param lockFolder for a lock that processes of this user share */
  constructor(label: string, platform: NodeJS.Platform, session: KeychainSession, lockFolder?: string) {
    this.label = label
    this.#platform = platform
    this.#session = session
    this.#lockFolder = lockFolder
  }

  async get(server: string): Promise<StoredCredential | undefined> {
    const account = accountOf(server)
    const text = await this.#session.request({ act: 'get', account })
    if (typeof text !== 'string') return undefined
    const credential = parseEntry(text)
    if (credential !== undefined) return credential
    throw new CredentialError(`the entry for ${account} in ${this.label} is not as regctl writes it`, {
      kind: 'failed',
      code: 'bad-keychain-entry',
      hint: `Log in to ${registryOf(account)} again`,
    })
  }

  async store(server: string, { username, secret }: StoredCredential): Promise<void> {
    const account = accountOf(server)
    refuseControls(username, 'user name')
    const text = JSON.stringify({ Username: username, Secret: secret })
    const size = Buffer.byteLength(text, 'utf16le')
    if (this.#platform === 'win32' && size > WINDOWS_LIMIT_BYTES) {
      throw new CredentialError(
        `the secret for ${account} is too long for ${this.label}: ${size} of ${WINDOWS_LIMIT_BYTES} bytes`,
        { kind: 'failed', code: 'secret-too-long', hint: 'Keep it in a file with `--store file`' },
      )
    }
    await oneAtATime(this.#lockFolder, () => this.#session.request({ act: 'store', account, text }))
  }

  async erase(server: string): Promise<boolean> {
    const account = accountOf(server)
    const erase = () => this.#session.request({ act: 'erase', account })
    return (await oneAtATime(this.#lockFolder, erase)) === true
  }

  async list(): Promise<ReadonlyMap<string, string>> {
    const found = await this.#session.request({ act: 'list' })
    const users = new Map<string, string>()
    for (const entry of Array.isArray(found) ? (found as unknown[]) : []) {
      if (!isObject(entry) || typeof entry.account !== 'string' || typeof entry.password !== 'string')
        continue
      const username = parseEntry(entry.password)?.username
      if (username !== undefined) users.set(entry.account, username)
    }
    return new Map([...users].sort(([one], [other]) => (one < other ? -1 : 1)))
  }
}

/**
 * gnome-keyring writes its whole file for each change, and keeps callers waiting meanwhile: of many logins at once, some
 * would be given up. Where the user has no folder for such a lock, that is left to chance.
 */
async function oneAtATime<T>(folder: string | undefined, work: () => Promise<T>): Promise<T> {
  if (folder === undefined || folder === '') return await work()
  const isWritable = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  )
  return isWritable
    ? await withLock(join(folder, 'regctl-keychain.lock'), work, LOCK_PATIENCE_MS)
    : await work()
}

/**
 * One name for each registry, however it was written (rules R123, R134). What has a further path is kept apart: newer
 * Dockers keep the tokens of Docker Hub as `https://index.docker.io/v1/access-token` beside the login itself.
 */
function accountOf(server: string): string {
  refuseControls(server, 'name of the registry')
  const isWholeRegistry = /^(https?:\/\/)?[^/]*(\/(v[12]\/?)?)?$/i.test(server)
  return isWholeRegistry ? serverOf(registryOf(server)) : server
}

function parseEntry(text: string): StoredCredential | undefined {
  try {
    const entry: unknown = JSON.parse(text)
    if (!isObject(entry)) return undefined
    const { Username: username, Secret: secret } = entry
    return typeof username === 'string' && typeof secret === 'string' ? { username, secret } : undefined
  } catch {
    return undefined
  }
}
