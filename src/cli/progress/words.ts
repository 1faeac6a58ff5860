import { printable } from '../../index.js'
import type { LayerState } from './layer-states.js'

/** Which of Docker's commands speaks. */
export type Words = 'push' | 'pull'

/** The line before a push. `repository` is `host/repository`. */
export function pushHeader(repository: string): string {
  return `The push refers to repository [${printable(repository)}]\n`
}

/**
 * The line after a push.
 *
 * @param size of the manifest, in bytes
 */
export function pushedLine(tag: string, digest: string, size: number): string {
  return `${printable(tag)}: digest: ${digest} size: ${size}\n`
}

/** What is said of a layer once it is known. */
export function listedWords(words: Words): string {
  return words === 'push' ? 'Preparing' : 'Pulling fs layer'
}

/** What is said of a layer that is being worked on. */
export function activeWords(state: LayerState, words: Words): string {
  if (state.phase === 'compressing') return 'Compressing'
  if (state.phase === 'waiting') return 'Waiting'
  return words === 'push' ? 'Pushing' : 'Downloading'
}

/** What is said of a layer that is in its place. With `dryRun` nothing was moved, and nothing is said to have been. */
export function doneWords(state: LayerState, words: Words, dryRun: boolean): string {
  switch (state.result) {
    case 'exists':
      return words === 'push' ? 'Layer already exists' : 'Already exists'
    case 'mounted':
      return state.from === undefined
        ? 'Mounted from another repository'
        : `Mounted from ${pathOf(printable(state.from))}`
    case 'skipped':
      return 'Skipped foreign layer'
    default:
      if (dryRun) return words === 'push' ? 'Would be pushed' : 'Would be pulled'
      return words === 'push' ? 'Pushed' : 'Download complete'
  }
}

/** Docker says a repository without its host, since a mount is within one registry. */
function pathOf(repository: string): string {
  const slash = repository.indexOf('/')
  const first = repository.slice(0, slash)
  return slash > 0 && /[.:]|^localhost$/.test(first) ? repository.slice(slash + 1) : repository
}
