import { join } from 'node:path'
import { containersAuthPaths, openContainersAuth } from './containers-auth.js'
import { runHelper } from './credential-helper.js'
import { type CredentialPlace, describeCredential, type OpenedPlace } from './credential-place.js'
import type { Credential, CredentialStore } from './credential-store.js'
import {
  type AskHelper,
  type DockerConfigOptions,
  dockerConfigPath,
  dockerConfigPlace,
  homeOf,
  parseDockerConfig,
  readDockerConfig,
  readLegacyConfig,
} from './docker-config.js'
import { registryOf } from './registry-keys.js'
import { keychainPlace } from './store-place.js'

/** Where credentials come from. */
export interface CredentialLookupOptions {
  /** What was given on the command line; for every registry of the run. */
  flags?: { username: string; password: string } | undefined
  /** Variables and the user's folder are read from it. */
  environment: NodeJS.ProcessEnv
  /** Takes one line about an entry, a helper or a keychain that is no good. */
  warn(message: string): void
  /** Opens the keychain when a registry first asks. There is none when not given. */
  openKeychain?: (() => Promise<CredentialStore>) | undefined
  /** Runs credential helpers; tests pass their own. */
  askHelper?: AskHelper
}

/** How config.json names `docker-credential-regctl`. */
const OWN_HELPER = 'regctl'

/** Every place where credentials are looked up, in this order. */
export function lookupPlaces(options: CredentialLookupOptions): CredentialPlace[] {
  const { flags, environment, warn, openKeychain } = options
  const askHelper = options.askHelper ?? (request => runHelper({ ...request, environment }))
  // Behind our own helper is the keychain, which was asked before it.
  const isOurs = (helper: string) => helper === OWN_HELPER && openKeychain !== undefined
  const ask = askOnce(async request => (isOurs(request.helper) ? undefined : await askHelper(request)))
  const reading = { warn, ask }
  const file = (label: string, open: () => Promise<OpenedPlace | undefined>): CredentialPlace => ({
    label,
    absence: 'no such file',
    isOptional: false,
    open: async () => {
      const opened = await open()
      return opened && { ...opened, label }
    },
  })
  const authFile = environment.REGISTRY_AUTH_FILE
  const configPath = dockerConfigPath(environment)
  const legacyPath = join(homeOf(environment), '.dockercfg')
  return [
    {
      label: 'the command line',
      absence: 'not given',
      isOptional: false,
      open: async () => flags && fixedPlace('the command line', { kind: 'password', ...flags }),
    },
    {
      label: 'DOCKER_AUTH_CONFIG',
      absence: 'not set',
      isOptional: false,
      open: async () => openVariable(environment, reading),
    },
    {
      label: 'CI_REGISTRY_USER',
      absence: 'not set',
      isOptional: false,
      open: async () => openGitLabVariables(environment),
    },
    ...(openKeychain === undefined ? [] : [keychainPlace(openKeychain)]),
    authFile
      ? file(`REGISTRY_AUTH_FILE (${authFile})`, () => openContainersAuth(authFile, reading))
      : { ...file('REGISTRY_AUTH_FILE', async () => undefined), absence: 'not set' },
    file(configPath, async () => {
      const config = await readDockerConfig(configPath)
      return config && dockerConfigPlace(config, reading)
    }),
    ...containersAuthPaths(environment).map(path => file(path, () => openContainersAuth(path, reading))),
    file(legacyPath, async () => {
      const config = await readLegacyConfig(legacyPath)
      return config && dockerConfigPlace(config, reading)
    }),
  ]
}

/** The files in which logins are looked up, whether they are there or not. */
export function credentialFiles(environment: NodeJS.ProcessEnv): string[] {
  const { REGISTRY_AUTH_FILE: authFile } = environment
  const legacyPath = join(homeOf(environment), '.dockercfg')
  const files = [dockerConfigPath(environment), ...containersAuthPaths(environment), legacyPath]
  return authFile ? [authFile, ...files] : files
}

/** What holds one credential: for one registry, or for all. */
function fixedPlace(
  label: string,
  fields: { kind: 'password'; username: string; password: string },
  registry?: string,
): OpenedPlace {
  const found = (key: string) => ({ credential: { ...fields, from: label } satisfies Credential, key })
  return {
    label,
    find: async asked =>
      registry === undefined || registryOf(asked) === registry ? found(registry ?? asked) : undefined,
    list: async () => (registry === undefined ? [] : [describeCredential(found(registry))]),
  }
}

/** `DOCKER_AUTH_CONFIG` holds the text of a config.json, as CI systems set it (rule R128). */
function openVariable(environment: NodeJS.ProcessEnv, reading: DockerConfigOptions): OpenedPlace | undefined {
  const text = environment.DOCKER_AUTH_CONFIG
  if (text === undefined || text.trim() === '') return undefined
  try {
    return dockerConfigPlace(parseDockerConfig(Buffer.from(text), 'DOCKER_AUTH_CONFIG'), reading)
  } catch {
    reading.warn('DOCKER_AUTH_CONFIG is left out: it is no JSON object')
    return undefined
  }
}

/** What GitLab gives to each of its jobs for its own registry. */
function openGitLabVariables(environment: NodeJS.ProcessEnv): OpenedPlace | undefined {
  const { CI_REGISTRY: registry, CI_REGISTRY_USER: username, CI_REGISTRY_PASSWORD: password } = environment
  if (!registry || !username || !password) return undefined
  return fixedPlace('CI_REGISTRY_USER', { kind: 'password', username, password }, registryOf(registry))
}

/** Wakes a helper once for each of its names (rule R137). */
function askOnce(ask: AskHelper): AskHelper {
  const known = new Map<string, ReturnType<AskHelper>>()
  return request => {
    const key = `${request.helper}\n${request.server}`
    const answer = known.get(key) ?? ask(request)
    known.set(key, answer)
    return answer
  }
}
