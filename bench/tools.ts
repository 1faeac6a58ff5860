import { fileURLToPath } from 'node:url'
import { peerPath } from '../test/support/peers.js'

/** The kinds of work that tools are compared at. */
export type Work =
  | 'push-docker-archive'
  | 'push-layout'
  | 'pull-layout'
  | 'pull-docker-archive'
  | 'pull-plain-docker-archive'
  | 'copy'

/** A tool that moves images, and how each kind of work is asked of it. */
export interface Tool {
  name: string
  program: string
  /** The parameters for a piece of work; undefined for what the tool can't do. */
  parametersFor(work: Work, from: string, to: string): readonly string[] | undefined
}

const START_FILE = fileURLToPath(new URL('../bin/run.js', import.meta.url))

/** Where images lie in layouts: skopeo and oras want a tag. */
export const LAYOUT_TAG = 'bench'

/** regctl, and the peers that are there. @param node runs regctl */
export function findTools(node: string, names?: readonly string[]): Tool[] {
  const all = [regctl(node), ...[crane, skopeo, oras].flatMap(found)]
  return names === undefined ? all : all.filter(({ name }) => names.includes(name))
}

type Recipe = (from: string, to: string) => readonly string[]

interface PeerRecipes {
  name: 'crane' | 'skopeo' | 'oras'
  recipes: Partial<Record<Work, Recipe>>
}

function found({ name, recipes }: PeerRecipes): Tool[] {
  const program = peerPath(name)
  if (program === undefined) return []
  return [{ name, program, parametersFor: (work, from, to) => recipes[work]?.(from, to) }]
}

function regctl(node: string): Tool {
  const recipes: Record<Work, Recipe> = {
    'push-docker-archive': (from, to) => ['push', from, to],
    'push-layout': (from, to) => ['push', from, to],
    'pull-layout': (from, to) => ['pull', from, to, '--format', 'oci'],
    'pull-docker-archive': (from, to) => ['pull', from, to, '--format', 'docker-archive'],
    'pull-plain-docker-archive': (from, to) => [
      'pull',
      from,
      to,
      '--format',
      'docker-archive',
      '--uncompressed',
    ],
    copy: (from, to) => ['copy', from, to],
  }
  return {
    name: 'regctl',
    program: node,
    parametersFor: (work, from, to) => [START_FILE, ...recipes[work](from, to), '--quiet'],
  }
}

const crane: PeerRecipes = {
  name: 'crane',
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

const oras: PeerRecipes = {
  name: 'oras',
  recipes: {
    'push-layout': (from, to) => [
      'cp',
      '--no-tty',
      '--from-oci-layout',
      `${from}:${LAYOUT_TAG}`,
      '--to-plain-http',
      to,
    ],
    'pull-layout': (from, to) => [
      'cp',
      '--no-tty',
      '--from-plain-http',
      from,
      '--to-oci-layout',
      `${to}:${LAYOUT_TAG}`,
    ],
    copy: (from, to) => ['cp', '--no-tty', '--from-plain-http', '--to-plain-http', from, to],
  },
}
