import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isObject, parseJsonObject } from '../content/manifest.js'
import { messageOf, systemCodeOf } from '../errors.js'
import { CredentialError } from './credential-error.js'
import { runHelper as askHelper, type HelperRequest } from './credential-helper.js'
import type { Credential, CredentialLookup } from './credential-store.js'
import { parseAuthEntry } from './docker-auth-entry.js'

/** The most bytes of a settings file that are read (rule R236). */
const CONFIG_LIMIT_BYTES = 4 * 1024 * 1024
/** Under which key Docker keeps the login of Docker Hub, and what helpers are asked for (rules R124, R134). */
const HUB_KEY = 'https://index.docker.io/v1/'
const HUB_ALIASES = ['docker.io', 'index.docker.io', 'registry-1.docker.io']

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

function homeOf(environment: NodeJS.ProcessEnv): string {
  return environment.HOME ?? environment.USERPROFILE ?? homedir()
}

/**
 * Reads a config.json.
 *
 * @returns undefined when there is no such file
 * @throws CredentialError `bad-docker-config` when it can't be read or is not JSON
 */
export async function readDockerConfig(path: string): Promise<DockerConfig | undefined> {
  try {
    const { size } = await stat(path)
    if (size > CONFIG_LIMIT_BYTES) throw badConfig(path, `it is larger than ${CONFIG_LIMIT_BYTES} bytes`)
    return parseDockerConfig(await readFile(path), path)
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (error instanceof CredentialError) throw error
    throw badConfig(path, code ?? messageOf(error), error)
  }
}

/** @throws CredentialError `bad-docker-config` when it is no JSON object */
export function parseDockerConfig(bytes: Uint8Array, from: string): DockerConfig {
  let document: Record<string, unknown>
  try {
    document = parseJsonObject(bytes, 'it')
  } catch (error) {
    // The cause is left out: the words of the JSON parser can repeat what it read.
    throw badConfig(from, messageOf(error))
  }
  const helpers = isObject(document.credHelpers) ? Object.entries(document.credHelpers) : []
  const store = document.credsStore
  return {
    from,
    auths: new Map(isObject(document.auths) ? Object.entries(document.auths) : []),
    credHelpers: new Map(helpers.flatMap(([host, name]) => (typeof name === 'string' ? [[host, name]] : []))),
    credsStore: typeof store === 'string' && store !== '' ? store : undefined,
  }
}

function badConfig(from: string, why: string, cause?: unknown): CredentialError {
  return new CredentialError(`cannot read the credentials in ${from}: ${why}`, {
    kind: 'failed',
    code: 'bad-docker-config',
    cause,
  })
}

/**
 * Looks credentials up in a config.json: the registry's own helper, else the store of all, else the file's entries
 * (rule R125).
 *
 * @param warn takes one line about an entry that is no good
 */
export function dockerConfigLookup(
  config: DockerConfig,
  warn: (message: string) => void,
  ask: AskHelper = askHelper,
): CredentialLookup {
  return {
    async find(registry) {
      const helper = matchKey(config.credHelpers, registry)
      const name = helper?.value ?? config.credsStore
      if (name !== undefined && name !== '') {
        const server = registry === 'docker.io' ? HUB_KEY : (helper?.key ?? registry)
        const credential = await ask({ helper: name, server, from: config.from, warn })
        if (credential !== undefined) return credential
      }
      const entry = matchKey(config.auths, registry)
      return entry === undefined ? undefined : parseAuthEntry(entry.value, entry.key, config.from, warn)
    },
  }
}

/**
 * The entry for a registry: under exactly its name, else under a key that comes down to it without scheme and path.
 * Ports must match; upper and lower case don't count (rules R123, R124).
 */
export function matchKey<T>(
  entries: ReadonlyMap<string, T>,
  registry: string,
): { key: string; value: T } | undefined {
  const names = registry === 'docker.io' ? [HUB_KEY, ...HUB_ALIASES] : [registry]
  for (const key of names) {
    const value = entries.get(key)
    if (value !== undefined) return { key, value }
  }
  const hosts = new Set(names.map(hostOf))
  for (const [key, value] of entries) if (hosts.has(hostOf(key))) return { key, value }
  return undefined
}

function hostOf(key: string): string {
  return key
    .replace(/^https?:\/\//i, '')
    .replace(/\/.*$/s, '')
    .toLowerCase()
}
