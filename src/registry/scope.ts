/** A right to do something with one resource (distribution's token scopes, rule R103). */
export interface Scope {
  /** `repository:team/app`, `registry:catalog`. */
  readonly resource: string
  readonly actions: readonly string[]
}

/** What a token must allow to read, write or delete in a repository (rules R104, R107, R120). */
export function repositoryScope(repository: string, access: 'pull' | 'push' | 'delete'): Scope {
  const actions = { pull: ['pull'], push: ['pull', 'push'], delete: ['delete', 'pull', 'push'] }[access]
  return { resource: `repository:${repository}`, actions }
}

/**
 * Reads the `scope` of a challenge: scopes apart by spaces. The name may hold colons, so the actions come after the
 * last one. What has no two colons is left out.
 */
export function parseScopes(text: string): Scope[] {
  return text.split(' ').flatMap(part => {
    const colon = part.lastIndexOf(':')
    if (part.indexOf(':') === colon) return []
    return [
      {
        resource: part.slice(0, colon),
        actions: part
          .slice(colon + 1)
          .split(',')
          .filter(Boolean),
      },
    ]
  })
}

/** One scope for each resource with the actions of all, in the order in which the resources first occur (rule R105). */
export function mergeScopes(...lists: readonly (readonly Scope[])[]): Scope[] {
  const merged = new Map<string, Set<string>>()
  for (const { resource, actions } of lists.flat()) {
    const known = merged.get(resource) ?? new Set()
    for (const action of actions) known.add(action)
    merged.set(resource, known)
  }
  return [...merged].map(([resource, actions]) => ({ resource, actions: [...actions].sort() }))
}

/** Whether everything in `wanted` is in `held`. */
export function coversScopes(held: readonly Scope[], wanted: readonly Scope[]): boolean {
  return wanted.every(scope => {
    const match = held.find(other => other.resource === scope.resource)
    return match !== undefined && scope.actions.every(action => match.actions.includes(action))
  })
}

/** Writes a scope as token servers take it. */
export function formatScope(scope: Scope): string {
  return `${scope.resource}:${scope.actions.join(',')}`
}
