import { runHelper } from './credential-helper.js'
import { type Credential, type CredentialLookup, chainLookups } from './credential-store.js'
import {
  type AskHelper,
  dockerConfigLookup,
  dockerConfigPath,
  parseDockerConfig,
  readDockerConfig,
} from './docker-config.js'

/** Where credentials come from. */
export interface CredentialLookupOptions {
  /** What was given on the command line; for every registry of the run. */
  flags?: { username: string; password: string } | undefined
  /** `DOCKER_AUTH_CONFIG`, `DOCKER_CONFIG` and `HOME` are read from it. */
  environment: NodeJS.ProcessEnv
  /** Takes one line about an entry or a helper that is no good. */
  warn(message: string): void
  /** Runs credential helpers; tests pass their own. */
  askHelper?: AskHelper
}

/**
 * The credentials of a run: flags, then `DOCKER_AUTH_CONFIG`, then Docker's config.json with its helpers. Files are read
 * when the first registry asks, and each registry is looked up once (rule R137).
 *
 * @throws (from `find`) CredentialError when a place holds something that can't be read
 */
export function createCredentialLookup(options: CredentialLookupOptions): CredentialLookup {
  const { flags, environment, warn } = options
  const ask: AskHelper = options.askHelper ?? (request => runHelper({ ...request, environment }))
  // In the order of the look-up. A keychain takes its place between the variable and the file.
  const places: readonly (() => Promise<CredentialLookup | undefined>)[] = [
    async () =>
      flags === undefined ? undefined : fixed({ kind: 'password', ...flags, from: 'the command line' }),
    async () => fromVariable(environment, warn, ask),
    async () => {
      const config = await readDockerConfig(dockerConfigPath(environment))
      return config === undefined ? undefined : dockerConfigLookup(config, warn, ask)
    },
  ]
  return remember(chainLookups(places.map(openOnce)))
}

function fixed(credential: Credential): CredentialLookup {
  return { find: async () => credential }
}

/** `DOCKER_AUTH_CONFIG` holds the text of a config.json, as CI systems set it (rule R128). */
function fromVariable(
  environment: NodeJS.ProcessEnv,
  warn: (message: string) => void,
  ask: AskHelper,
): CredentialLookup | undefined {
  const text = environment.DOCKER_AUTH_CONFIG
  if (text === undefined || text.trim() === '') return undefined
  try {
    return dockerConfigLookup(parseDockerConfig(Buffer.from(text), 'DOCKER_AUTH_CONFIG'), warn, ask)
  } catch {
    warn('DOCKER_AUTH_CONFIG is left out: it is no JSON object')
    return undefined
  }
}

/** Opens a place when it is first asked, and not again. */
function openOnce(open: () => Promise<CredentialLookup | undefined>): CredentialLookup {
  let opened: Promise<CredentialLookup | undefined> | undefined
  return {
    async find(registry, repository) {
      opened ??= open()
      return await (await opened)?.find(registry, repository)
    },
  }
}

function remember(lookup: CredentialLookup): CredentialLookup {
  const known = new Map<string, Promise<Credential | undefined>>()
  return {
    find(registry, repository) {
      // No place so far keeps credentials by repository; asking a helper for each would wake it many times.
      const found = known.get(registry) ?? lookup.find(registry, repository)
      known.set(registry, found)
      return found
    },
  }
}
