import { isObject } from '../content/manifest.js'
import { type ConfigDocument, changeConfigDocument, readConfigDocument } from './config-file.js'
import { refuseControls } from './control-characters.js'
import { CredentialError } from './credential-error.js'
import { type CredentialStore, type StoredCredential, TOKEN_USER } from './credential-store.js'
import { parseAuthEntry } from './docker-auth-entry.js'
import { matchKey, registryOf, serverOf } from './registry-keys.js'

/** Fields of an entry that say who logs in, which all go when somebody else does. */
const LOGIN_FIELDS: readonly string[] = ['auth', 'username', 'password', 'identitytoken', 'registrytoken']

/** What a store in a file needs besides its path. */
export interface ConfigFileStoreOptions {
  /** Takes one line about an entry that is no good, or one that Docker will not look at. */
  warn?(message: string): void
}

/**
 * Keeps credentials in Docker's config.json, as `docker login` does without a helper: in base64, which anybody can read
 * who can read the file (rules R122, R132).
 *
 * @example
 * const store = new ConfigFileStore(dockerConfigPath(process.env))
 * await store.store('localhost:5000', { username: 'ada', secret: 'correct horse' })
 */
export class ConfigFileStore implements CredentialStore {
  /** The path. */
  readonly label: string
  readonly #warn: (message: string) => void

  /** @param path of the config.json, which need not be there yet */
  constructor(path: string, options: ConfigFileStoreOptions = {}) {
    this.label = path
    this.#warn = message => options.warn?.(message)
  }

  async get(server: string): Promise<StoredCredential | undefined> {
    const entries = entriesOf(await readConfigDocument(this.label))
    const entry = matchKey(entries, registryOf(server))
    return entry === undefined ? undefined : this.#parse(entry.key, entry.value)
  }

  async store(server: string, credential: StoredCredential): Promise<void> {
    refuseControls(server, 'name of the registry')
    refuseControls(credential.username, 'user name')
    refuseColon(credential.username)
    const key = serverOf(registryOf(server))
    let helper: string | undefined
    await changeConfigDocument(this.label, document => {
      helper = helperOf(document, key)
      const entries = entriesOf(document)
      return withEntries(document, entries.set(key, entryOf(credential, entries.get(key))))
    })
    if (helper === undefined) return
    this.#warn(
      `${this.label} has Docker ask docker-credential-${helper} for ${registryOf(key)}, so Docker will not look at the login kept there`,
    )
  }

  /** Removes the entries under every name of the registry (rules R124, R132). */
  async erase(server: string): Promise<boolean> {
    const registry = registryOf(server)
    let erased = false
    await changeConfigDocument(this.label, document => {
      const entries = entriesOf(document)
      const keys = [...entries.keys()].filter(key => registryOf(key) === registry)
      if (keys.length === 0) return document
      erased = keys.some(key => this.#parse(key, entries.get(key)) !== undefined)
      for (const key of keys) entries.delete(key)
      return withEntries(document, entries)
    })
    return erased
  }

  async list(): Promise<ReadonlyMap<string, string>> {
    const users = new Map<string, string>()
    for (const [key, value] of entriesOf(await readConfigDocument(this.label))) {
      const stored = this.#parse(key, value)
      if (stored !== undefined) users.set(key, stored.username)
    }
    return users
  }

  #parse(key: string, value: unknown): StoredCredential | undefined {
    const credential = parseAuthEntry(value, key, this.label, this.#warn)
    // A registry token is no login: nobody stores it, and it soon runs out.
    if (credential === undefined || credential.kind === 'registry-token') return undefined
    return credential.kind === 'identity-token'
      ? { username: TOKEN_USER, secret: credential.token }
      : { username: credential.username, secret: credential.password }
  }
}

/** Name and password are told apart by the first colon (RFC 7617; rule R222). */
function refuseColon(username: string): void {
  if (!username.includes(':')) return
  throw new CredentialError('a user name cannot have a colon', { kind: 'usage', code: 'bad-characters' })
}

function entriesOf({ auths }: ConfigDocument): Map<string, unknown> {
  return new Map(isObject(auths) ? Object.entries(auths) : [])
}

/** A document with other entries, in their place among the fields. */
function withEntries(document: ConfigDocument, entries: ReadonlyMap<string, unknown>): ConfigDocument {
  return { ...document, auths: Object.fromEntries(entries) }
}

/** An entry as Docker writes it; what else is in the one before stays. */
function entryOf({ username, secret }: StoredCredential, before: unknown): Record<string, unknown> {
  const kept = Object.entries(isObject(before) ? before : {}).filter(
    ([field]) => !LOGIN_FIELDS.includes(field),
  )
  const isToken = username === TOKEN_USER
  // Containers' tools take an identity token only beside a user name.
  const auth = Buffer.from(`${username}:${isToken ? '' : secret}`).toString('base64')
  return { auth, ...Object.fromEntries(kept), ...(isToken && { identitytoken: secret }) }
}

/** The helper that Docker asks in the place of the file's entry (rule R125). */
function helperOf({ credHelpers, credsStore }: ConfigDocument, key: string): string | undefined {
  const own = matchKey(new Map(Object.entries(isObject(credHelpers) ? credHelpers : {})), registryOf(key))
  const name = own?.value ?? credsStore
  return typeof name === 'string' && name !== '' ? name : undefined
}
