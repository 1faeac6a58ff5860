import { isRepositoryName } from '../content/reference.js'

/** Rights on one resource, as the scopes and claims of tokens have them (distribution, Token Scope Documentation). */
export interface Access {
  /** `repository`, or `registry` for the list of all repositories. */
  readonly type: string
  /** The repository's name, or `catalog`. */
  readonly name: string
  /** `pull`, `push`, `delete`, or `*` for all. */
  readonly actions: readonly string[]
}

/** What a part of the API is about; it decides which rights its requests need. */
export type Area = 'root' | 'catalog' | 'content' | 'uploads'

/** The right to read a repository. */
export function pullAccess(name: string): Access {
  return { type: 'repository', name, actions: ['pull'] }
}

/**
 * The rights that a request needs (rules R104, R106, R120): reading is `pull`, writing `pull` and `push`, deleting
 * `delete`. All requests of an upload write, also those that ask how far it is or give it up. A blob that is mounted is
 * read in the repository that it comes from.
 */
export function accessOf(
  area: Area,
  method: string,
  { name, query }: { name: string; query: URLSearchParams },
): Access[] {
  if (area === 'root') return []
  if (area === 'catalog') return [{ type: 'registry', name: 'catalog', actions: ['*'] }]
  const write: Access = { type: 'repository', name, actions: ['pull', 'push'] }
  if (area === 'uploads') return [write, ...mountAccess(name, query)]
  if (method === 'GET' || method === 'HEAD') return [pullAccess(name)]
  return method === 'DELETE' ? [{ type: 'repository', name, actions: ['delete'] }] : [write]
}

function mountAccess(name: string, query: URLSearchParams): Access[] {
  const from = query.get('mount') === null ? null : query.get('from')
  // A malformed name is refused by the mount itself.
  return from === null || from === name || !isRepositoryName(from) ? [] : [pullAccess(from)]
}

/** Whether all that is wanted is among what is held. */
export function coversAccess(held: readonly Access[], wanted: Access): boolean {
  const actions = held
    .filter(({ type, name }) => type === wanted.type && name === wanted.name)
    .flatMap(access => access.actions)
  return actions.includes('*') || wanted.actions.every(action => actions.includes(action))
}

/**
 * Reads scopes, apart by spaces. Between the first and the last colon is the name, which may have a host with a port
 * (rule R103); a class after the type, as in `repository(plugin)`, changes nothing here. What is no scope is left out.
 */
export function parseScopes(text: string): Access[] {
  return text.split(' ').flatMap(scope => {
    const [first, last] = [scope.indexOf(':'), scope.lastIndexOf(':')]
    if (first === last) return []
    const type = scope.slice(0, first).replace(/\([^()]*\)$/, '')
    const actions = scope.slice(last + 1).split(',')
    return [{ type, name: scope.slice(first + 1, last), actions: actions.filter(action => action !== '') }]
  })
}

/** Writes scopes, apart by spaces. */
export function formatScopes(accesses: readonly Access[]): string {
  return accesses.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' ')
}
