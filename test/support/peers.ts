import { readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { cleanEnvironment, type RunResult, run } from './run.js'
import { temporaryFolder } from './temporary-folder.js'
import { cannotRun, isExecutable, toolPath } from './tools.js'

/** Other tools for container images, which `.ci/fetch-peers` unpacks without installing them. */
export type Peer = 'cosign' | 'crane' | 'oras' | 'skopeo'

/**
 * Why tests that need these tools can't run; undefined when they can. As `missingTool` does, it prints the reason, and
 * throws in continuous integration.
 */
export function missingPeer(...peers: Peer[]): string | undefined {
  const missing = peers.find(peer => peerPath(peer) === undefined)
  return missing === undefined ? undefined : cannotRun(`${missing} is not there: .ci/fetch-peers gets it`)
}

/**
 * Where a tool is: in the folder that `.ci/fetch-peers` fills (`REGCTL_PEERS`, or else in the user's cache), or as it is
 * installed. Undefined when it is nowhere.
 */
export function peerPath(peer: Peer): string | undefined {
  const fetched = join(peersFolder(), 'bin', peer)
  return isExecutable(fetched) ? fetched : toolPath(peer)
}

/**
 * How to start a tool without the script that `.ci/fetch-peers` puts in front of it, which takes longer to start than
 * the tool: the program, and the parameters that come first.
 *
 * @param path from {@link peerPath}
 */
export function launchPeer(path: string): [string, ...string[]] {
  const system = join(dirname(path), '../root/usr')
  const program = join(system, 'bin', basename(path))
  const loader = ['lib64', 'lib'].flatMap(name => entries(join(system, name), /^ld-linux.*\.so/))[0]
  const libraries = entries(join(system, 'lib'), /-linux-gnu/)[0]
  if (!isExecutable(program) || loader === undefined || libraries === undefined) return [path]
  return [loader, '--library-path', libraries, program]
}

/** The version of the package that `.ci/fetch-peers` took a tool from; undefined for one that is installed. */
export function fetchedVersion(peer: Peer): string | undefined {
  const [versions] = entries(peersFolder(), /^versions$/)
  if (versions === undefined) return undefined
  return new RegExp(`^${peer} (\\S+)$`, 'm').exec(readFileSync(versions, 'utf8'))?.[1]
}

/** The paths of what lies in a folder under such names; none when there is no folder. */
function entries(folder: string, names: RegExp): string[] {
  try {
    return readdirSync(folder)
      .filter(name => names.test(name))
      .map(name => join(folder, name))
  } catch {
    return []
  }
}

/** How to run a tool. */
export interface PeerOptions {
  /** Adds to the environment of someone who never logged in anywhere. */
  env?: Readonly<Record<string, string>>
  cwd?: string
  /** Default: a minute. */
  timeoutMs?: number
}

/**
 * Runs a tool, given by its name or its path, and wants it to succeed.
 *
 * @throws Error when it doesn't, with what it wrote
 * @example
 * const { stdout } = await peer('crane', ['digest', '--insecure', reference])
 */
export async function peer(
  tool: Peer | { path: string },
  parameters: readonly string[],
  options: PeerOptions = {},
): Promise<RunResult> {
  const result = await tryPeer(tool, parameters, options)
  if (result.code === 0) return result
  const name = typeof tool === 'string' ? tool : tool.path
  throw new Error(`${name} ${parameters.join(' ')} failed: ${result.stderr}${result.stdout}`)
}

/** As {@link peer}, for what may fail. */
export async function tryPeer(
  tool: Peer | { path: string },
  parameters: readonly string[],
  options: PeerOptions = {},
): Promise<RunResult> {
  const path = typeof tool === 'string' ? (peerPath(tool) ?? tool) : tool.path
  await using home = await temporaryFolder()
  return await run(path, parameters, { ...options, env: { ...cleanEnvironment(home.path), ...options.env } })
}

function peersFolder(): string {
  const { REGCTL_PEERS, XDG_CACHE_HOME } = process.env
  if (REGCTL_PEERS !== undefined && REGCTL_PEERS !== '') return REGCTL_PEERS
  const cache = XDG_CACHE_HOME ?? ''
  return join(cache === '' ? join(homedir(), '.cache') : cache, 'regctl-peers')
}
