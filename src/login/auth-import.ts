import { basename } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { isObject } from '../content/manifest.js'
import { changeConfigDocument } from '../credentials/config-file.js'
import { describeCredential, type PlaceEntry } from '../credentials/credential-place.js'
import {
  type Credential,
  type CredentialStore,
  type StoredCredential,
  TOKEN_USER,
} from '../credentials/credential-store.js'
import { parseAuthEntry } from '../credentials/docker-auth-entry.js'
import { type DockerConfig, readDockerConfig, readLegacyConfig } from '../credentials/docker-config.js'
import { credentialFiles } from '../credentials/lookup-places.js'
import { isNamespaced, registryOf, serverOf } from '../credentials/registry-keys.js'
import { RegctlError } from '../errors.js'

/** A file to import from is not there. */
export class ImportError extends RegctlError {}

/** What is imported, and where to. */
export interface ImportOptions {
  /** The files; all that logins are looked up in when empty. */
  files: readonly string[]
  environment: NodeJS.ProcessEnv
  /** Opened when there is something to import. */
  openKeychain(): Promise<CredentialStore>
  /** Removes from the file what is safely in the keychain. */
  remove?: boolean | undefined
  /** Changes nothing, and tells what would be done. */
  dryRun?: boolean | undefined
  /** Takes one line about an entry that is no good. */
  warn(message: string): void
}

/** What became of one entry of a file. */
export interface ImportedEntry extends PlaceEntry {
  readonly file: string
  /** `already-there`: the keychain has the very same; `left`: it stays where it is, for the reason that is given */
  readonly state: 'imported' | 'already-there' | 'left'
  readonly reason?: string
  readonly removed: boolean
}

/** One entry of a file on its way. */
interface FoundEntry {
  file: string
  key: string
  /** As it is in the file. */
  value: unknown
  /** Undefined for one that a helper keeps. */
  credential: Credential | undefined
}

/**
 * Takes logins that others left in plain text into the keychain. An entry is removed from its file only when the
 * keychain gives it back as it was. What the keychain can't stand for is left: entries of helpers, tokens that are used
 * as they are, and logins for a part of a registry.
 *
 * @throws ImportError `no-such-file` of kind `not-found`
 * @throws CredentialError when a file or the keychain can't be read or written
 */
export async function importLogins(options: ImportOptions): Promise<ImportedEntry[]> {
  const found = await readEntries(options)
  if (!found.some(({ credential }) => credential !== undefined))
    return found.map(entry => leave(entry, HELPER))
  const keychain = await options.openKeychain()
  const planned = new Map<string, StoredCredential>()
  const results: ImportedEntry[] = []
  for (const entry of found) results.push(await importEntry(entry, keychain, planned, options))
  return results
}

const HELPER = 'a credential helper keeps it'

async function readEntries({ files, environment, warn }: ImportOptions): Promise<FoundEntry[]> {
  const paths = files.length > 0 ? files : credentialFiles(environment)
  const found: FoundEntry[] = []
  for (const file of new Set(paths)) {
    const config = await readFile(file)
    if (config === undefined && files.length > 0) {
      throw new ImportError(`there is no file ${file}`, { kind: 'not-found', code: 'no-such-file' })
    }
    for (const [key, value] of config?.auths ?? []) {
      const credential = parseAuthEntry(value, key, file, warn)
      const isPlaceholder = isObject(value) && Object.keys(value).length === 0
      // What is neither has had its warning.
      if (credential !== undefined || isPlaceholder) found.push({ file, key, value, credential })
    }
  }
  return found
}

function readFile(file: string): Promise<DockerConfig | undefined> {
  return isLegacy(file) ? readLegacyConfig(file) : readDockerConfig(file)
}

function isLegacy(file: string): boolean {
  return basename(file) === '.dockercfg'
}

async function importEntry(
  entry: FoundEntry,
  keychain: CredentialStore,
  planned: Map<string, StoredCredential>,
  options: ImportOptions,
): Promise<ImportedEntry> {
  const { file, key, credential } = entry
  if (credential === undefined) return leave(entry, HELPER)
  if (credential.kind === 'registry-token') return leave(entry, 'the keychain keeps no tokens of this kind')
  if (isNamespaced(key)) return leave(entry, 'it is for a part of the registry only')
  const server = serverOf(registryOf(key))
  const wanted = storedFormOf(credential)
  const there = planned.get(server) ?? (await keychain.get(server))
  if (there !== undefined && !isSame(there, wanted)) return leave(entry, 'the keychain has another login')
  const { dryRun = false, remove = false } = options
  if (there === undefined && !dryRun) await keychain.store(server, wanted)
  planned.set(server, wanted)
  const described = describeCredential({ credential, key })
  const state = there === undefined ? 'imported' : 'already-there'
  if (!remove) return { ...described, file, state, removed: false }
  if (isLegacy(file))
    return { ...described, file, state, removed: false, reason: 'a file of this old form is not changed' }
  const removed = dryRun || (await removeEntry(entry, server, wanted, keychain))
  return { ...described, file, state, removed }
}

/** The file may have been changed since it was read: an entry that is another one now stays. */
async function removeEntry(
  { file, key, value }: FoundEntry,
  server: string,
  wanted: StoredCredential,
  keychain: CredentialStore,
): Promise<boolean> {
  const kept = await keychain.get(server)
  if (kept === undefined || !isSame(kept, wanted)) {
    throw new ImportError(
      `${keychain.label} does not give back the login for ${server}: it stays in ${file}`,
      {
        kind: 'failed',
        code: 'not-kept',
      },
    )
  }
  let isRemoved = false
  await changeConfigDocument(file, document => {
    const auths = isObject(document.auths) ? document.auths : {}
    if (!isDeepStrictEqual(auths[key], value)) return document
    isRemoved = true
    const { [key]: _removed, ...others } = auths
    return { ...document, auths: others }
  })
  return isRemoved
}

function leave({ file, key, credential }: FoundEntry, reason: string): ImportedEntry {
  const described: PlaceEntry =
    credential === undefined
      ? { registry: registryOf(key), key, kind: 'helper' }
      : describeCredential({ credential, key })
  return { ...described, file, state: 'left', reason, removed: false }
}

function storedFormOf(credential: Exclude<Credential, { kind: 'registry-token' }>): StoredCredential {
  if (credential.kind === 'identity-token') return { username: TOKEN_USER, secret: credential.token }
  return { username: credential.username, secret: credential.password }
}

function isSame(one: StoredCredential, other: StoredCredential): boolean {
  return one.username === other.username && one.secret === other.secret
}
