import { join } from 'node:path'
import type { OpenedPlace } from './credential-place.js'
import { type DockerConfigOptions, dockerConfigPlace, homeOf, readDockerConfig } from './docker-config.js'

/**
 * Where podman, buildah and skopeo keep logins, in the order in which they are read (containers-auth.json(5); rule
 * R130): of the session first, then of the user.
 */
export function containersAuthPaths(
  environment: NodeJS.ProcessEnv,
  { platform = process.platform, userId = process.getuid?.() } = {},
): string[] {
  const inHome = join(
    environment.XDG_CONFIG_HOME || join(homeOf(environment), '.config'),
    'containers/auth.json',
  )
  const session = environment.XDG_RUNTIME_DIR
  if (session) return [join(session, 'containers/auth.json'), inHome]
  return platform === 'linux' && userId !== undefined
    ? [`/run/containers/${userId}/auth.json`, inHome]
    : [inHome]
}

/**
 * Opens an auth.json of the containers tools. Its keys may name a part of a registry, and it knows no helper for all
 * registries (rule R131).
 *
 * @returns undefined when there is no such file
 * @throws CredentialError `bad-docker-config` when it can't be read or is not JSON
 */
export async function openContainersAuth(
  path: string,
  options: DockerConfigOptions,
): Promise<OpenedPlace | undefined> {
  const config = await readDockerConfig(path)
  if (config === undefined) return undefined
  return dockerConfigPlace({ ...config, credsStore: undefined }, { ...options, hasNamespaces: true })
}
