import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isObject, parseJsonObject } from '../content/manifest.js'
import { messageOf, systemCodeOf } from '../errors.js'
import { CredentialError } from './credential-error.js'
import type { HelperRequest } from './credential-helper.js'
import {
  describeCredential,
  type FoundCredential,
  type OpenedPlace,
  type PlaceEntry,
} from './credential-place.js'
import type { Credential } from './credential-store.js'
import { parseAuthEntry } from './docker-auth-entry.js'
import { matchKey, matchLongestKey, namespaceOf, registryOf, serverOf } from './registry-keys.js'

/** The most bytes of a settings file that are read (rule R236). */
const CONFIG_LIMIT_BYTES = 4 * 1024 * 1024

/** Runs a credential helper's `get`; undefined when it knows nothing. */
export type AskHelper = (request: HelperRequest) => Promise<Credential | undefined>

/** What of Docker's config.json concerns credentials. */
export interface DockerConfig {
  /** For messages: the file's path, or `DOCKER_AUTH_CONFIG`. */
  readonly from: string
  readonly auths: ReadonlyMap<string, unknown>
  readonly credHelpers: ReadonlyMap<string, string>
  /** The helper for every registry without one of its own; undefined when there is none. */
  readonly credsStore: string | undefined
}

/** Where Docker's config.json is: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json` (rule R121). */
export function dockerConfigPath(environment: NodeJS.ProcessEnv): string {
  const folder = environment.DOCKER_CONFIG
  return join(
    folder === undefined || folder === '' ? join(homeOf(environment), '.docker') : folder,
    'config.json',
  )
}

/** The user's own folder. */
export function homeOf(environment: NodeJS.ProcessEnv): string {
  return environment.HOME ?? environment.USERPROFILE ?? homedir()
}

/**
 * Reads a config.json.
 *
 * @returns undefined when there is no such file
 * @throws CredentialError `bad-docker-config` when it can't be read or is not JSON
 */
export async function readDockerConfig(path: string): Promise<DockerConfig | undefined> {
  const bytes = await readConfigFile(path)
  return bytes === undefined ? undefined : parseDockerConfig(bytes, path)
}

/**
 * Reads `~/.dockercfg`, which has the entries at its top: Docker's form before config.json (rule R130).
 *
 * @returns undefined when there is no such file
 * @throws CredentialError `bad-docker-config` when it can't be read or is not JSON
 */
export async function readLegacyConfig(path: string): Promise<DockerConfig | undefined> {
  const bytes = await readConfigFile(path)
  if (bytes === undefined) return undefined
  const auths = new Map(Object.entries(parseConfigJson(bytes, path)))
  return { from: path, auths, credHelpers: new Map(), credsStore: undefined }
}

async function readConfigFile(path: string): Promise<Buffer | undefined> {
  try {
    const { size } = statSync(path)
    if (size > CONFIG_LIMIT_BYTES) throw badConfig(path, `it is larger than ${CONFIG_LIMIT_BYTES} bytes`)
    return readFileSync(path)
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (error instanceof CredentialError) throw error
    throw badConfig(path, code ?? messageOf(error), error)
  }
}

/** @throws CredentialError `bad-docker-config` when it is no JSON object */
export function parseDockerConfig(bytes: Uint8Array, from: string): DockerConfig {
  const document = parseConfigJson(bytes, from)
  const helpers = isObject(document.credHelpers) ? Object.entries(document.credHelpers) : []
  const store = document.credsStore
  return {
    from,
    auths: new Map(isObject(document.auths) ? Object.entries(document.auths) : []),
    credHelpers: new Map(helpers.flatMap(([host, name]) => (typeof name === 'string' ? [[host, name]] : []))),
    credsStore: typeof store === 'string' && store !== '' ? store : undefined,
  }
}

function parseConfigJson(bytes: Uint8Array, from: string): Record<string, unknown> {
  try {
    return parseJsonObject(bytes, 'it')
  } catch (error) {
    // The cause is left out: the words of the JSON parser can repeat what it read.
    throw badConfig(from, messageOf(error))
  }
}

function badConfig(from: string, why: string, cause?: unknown): CredentialError {
  return new CredentialError(`cannot read the credentials in ${from}: ${why}`, {
    kind: 'failed',
    code: 'bad-docker-config',
    cause,
  })
}

/** How a file of credentials is read. */
export interface DockerConfigOptions {
  /** Takes one line about an entry that is no good. */
  warn(message: string): void
  ask: AskHelper
  /** Whether keys may be for parts of a registry, as the containers tools write them. */
  hasNamespaces?: boolean
}

/**
 * A config.json as a place to look credentials up: the registry's own helper, else the store of all, else the file's
 * entries (rule R125).
 */
export function dockerConfigPlace(config: DockerConfig, options: DockerConfigOptions): OpenedPlace {
  const { warn } = options
  const match = options.hasNamespaces === true ? matchLongestKey : matchKey
  return {
    label: config.from,
    async find(registry, repository) {
      const found = await askHelperOf(config, registry, options)
      if (found !== undefined) return found
      const entry = match(config.auths, registry, repository)
      if (entry === undefined) return undefined
      const credential = parseAuthEntry(entry.value, entry.key, config.from, warn)
      return credential === undefined ? undefined : { credential, key: entry.key }
    },
    list: async () => listEntries(config, options),
  }
}

async function askHelperOf(
  config: DockerConfig,
  registry: string,
  { warn, ask }: DockerConfigOptions,
): Promise<FoundCredential | undefined> {
  const own = matchKey(config.credHelpers, registry)
  const name = own?.value ?? config.credsStore
  if (name === undefined || name === '') return undefined
  const server = serverOf(registry) === registry ? (own?.key ?? registry) : serverOf(registry)
  const credential = await ask({ helper: name, server, from: config.from, warn })
  return credential === undefined
    ? undefined
    : { credential, key: server, helper: `docker-credential-${name}` }
}

/** Helpers come first, as they are asked first. An entry without content was left by one (rule R122). */
function listEntries(config: DockerConfig, { warn, hasNamespaces }: DockerConfigOptions): PlaceEntry[] {
  const nameOf = hasNamespaces === true ? namespaceOf : registryOf
  const byHelper = new Map([...config.credHelpers].map(([key, name]) => [registryOf(key), { key, name }]))
  const plain: PlaceEntry[] = []
  for (const [key, value] of config.auths) {
    const credential = parseAuthEntry(value, key, config.from, warn)
    if (credential !== undefined) plain.push(describeCredential({ credential, key }, nameOf(key)))
    else if (config.credsStore !== undefined && isObject(value) && Object.keys(value).length === 0) {
      const registry = registryOf(key)
      if (!byHelper.has(registry)) byHelper.set(registry, { key, name: config.credsStore })
    }
  }
  const helped = [...byHelper].map(
    ([registry, { key, name }]): PlaceEntry => ({
      registry,
      key,
      kind: 'helper',
      helper: `docker-credential-${name}`,
    }),
  )
  return [...helped, ...plain]
}
