import { fileURLToPath } from 'node:url'
import { fetchedVersion, launchPeer, peerPath } from '../test/support/peers.js'
import { toolPath } from '../test/support/tools.js'
import { firstVersion, versionOf } from './versions.js'

/** The kinds of work that tools are compared at. */
export type Work =
  | 'push-docker-archive'
  | 'push-layout'
  | 'pull-layout'
  | 'pull-docker-archive'
  | 'pull-plain-docker-archive'
  | 'copy'
  | 'export'

/** A tool that moves images, and how each kind of work is asked of it. */
export interface Tool {
  name: string
  /** The program, and the parameters that always come first. */
  launch: readonly [string, ...string[]]
  /** The parameters that make it tell its version, which is the least that it can do. */
  askVersion: readonly string[]
  /** Its version, where that is known without asking it. */
  version?: string | undefined
  /** The parameters for a piece of work; undefined for what the tool can't do. */
  parametersFor(work: Work, from: string, to: string): readonly string[] | undefined
}

/** regctl's start file. */
export const START_FILE = fileURLToPath(new URL('../bin/run.js', import.meta.url))

/** Where images lie in layouts: skopeo and oras want a tag. */
export const LAYOUT_TAG = 'bench'

/** regctl, and the peers that are there. @param node runs regctl */
export function findTools(node: string, names?: readonly string[]): Tool[] {
  const wanted = (name: string) => names?.includes(name) ?? true
  const peers = [crane, skopeo, oras].filter(({ name }) => wanted(name)).flatMap(found)
  const docker = wanted('docker') && canRunDocker() ? [dockerEngine()] : []
  return [...(wanted('regctl') ? [regctl(node)] : []), ...peers, ...docker]
}

type Recipe = (from: string, to: string) => readonly string[]

interface PeerRecipes {
  name: 'crane' | 'skopeo' | 'oras'
  askVersion: readonly string[]
  recipes: Partial<Record<Work, Recipe>>
}

function found({ name, askVersion, recipes }: PeerRecipes): Tool[] {
  const path = peerPath(name)
  if (path === undefined) return []
  return [
    {
      name,
      launch: launchPeer(path),
      askVersion,
      version: firstVersion(fetchedVersion(name) ?? ''),
      parametersFor: (work, from, to) => recipes[work]?.(from, to),
    },
  ]
}

function regctl(node: string): Tool {
  const pull = (format: string, from: string, to: string) => ['pull', '--quiet', '--format', format, from, to]
  const recipes: Record<Work, Recipe> = {
    'push-docker-archive': (from, to) => ['push', '--quiet', from, to],
    'push-layout': (from, to) => ['push', '--quiet', from, to],
    'pull-layout': (from, to) => pull('oci', from, to),
    'pull-docker-archive': (from, to) => pull('docker-archive', from, to),
    'pull-plain-docker-archive': (from, to) => [...pull('docker-archive', from, to), '--uncompressed'],
    copy: (from, to) => ['copy', '--quiet', from, to],
    export: (from, to) => ['export', from, '--output', to],
  }
  return {
    name: 'regctl',
    launch: [node, START_FILE],
    askVersion: ['--version'],
    parametersFor: (work, from, to) => recipes[work](from, to),
  }
}

function canRunDocker(): boolean {
  return (
    process.getuid?.() === 0 &&
    ['dockerd', 'containerd', 'docker'].every(name => toolPath(name) !== undefined)
  )
}

/** Has no files and no registries to work between, only its engine: see `docker.ts`. */
function dockerEngine(): Tool {
  return {
    name: 'docker',
    launch: ['docker'],
    askVersion: ['--version'],
    // That of the command may be another one, and the engine does the work.
    version: versionOf('dockerd', ['--version']),
    parametersFor: () => undefined,
  }
}

const crane: PeerRecipes = {
  name: 'crane',
  askVersion: ['version'],
  recipes: {
    'push-docker-archive': (from, to) => ['push', '--insecure', from, to],
    'push-layout': (from, to) => ['push', '--insecure', from, to],
    'pull-layout': (from, to) => ['pull', '--insecure', '--format', 'oci', from, to],
    'pull-docker-archive': (from, to) => ['pull', '--insecure', from, to],
    copy: (from, to) => ['copy', '--insecure', from, to],
  },
}

const OPEN = ['--insecure-policy', 'copy', '--src-tls-verify=false', '--dest-tls-verify=false', '--quiet']
const skopeo: PeerRecipes = {
  name: 'skopeo',
  askVersion: ['--version'],
  recipes: {
    'push-docker-archive': (from, to) => [...OPEN, `docker-archive:${from}`, `docker://${to}`],
    'push-layout': (from, to) => [...OPEN, `oci:${from}:${LAYOUT_TAG}`, `docker://${to}`],
    'pull-layout': (from, to) => [...OPEN, `docker://${from}`, `oci:${to}:${LAYOUT_TAG}`],
    'pull-plain-docker-archive': (from, to) => [
      ...OPEN,
      `docker://${from}`,
      `docker-archive:${to}:bench/image:1`,
    ],
    copy: (from, to) => [...OPEN, `docker://${from}`, `docker://${to}`],
  },
}

const CP = ['cp', '--no-tty']
const oras: PeerRecipes = {
  name: 'oras',
  askVersion: ['version'],
  recipes: {
    'push-layout': (from, to) => [...CP, '--from-oci-layout', `${from}:${LAYOUT_TAG}`, '--to-plain-http', to],
    'pull-layout': (from, to) => [...CP, '--from-plain-http', from, '--to-oci-layout', `${to}:${LAYOUT_TAG}`],
    copy: (from, to) => [...CP, '--from-plain-http', '--to-plain-http', from, to],
  },
}
