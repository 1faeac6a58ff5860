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

/**
 * What to ask for after a refusal: what the request needs and what the challenge names (rule R108). What it takes to
 * delete is called differently from server to server, so there the challenge's own words count alone (rule R120).
 */
export function widerScopes(scopes: readonly Scope[], challenged: string): Scope[] {
  const named = parseScopes(challenged)
  const isNamed = ({ resource }: Scope) => named.some(scope => scope.resource === resource)
  const kept = scopes.filter(scope => !(scope.actions.includes('delete') && isNamed(scope)))
  const union = mergeScopes(kept, named)
  // What was first stays first: some servers read no further (rule R105).
  const first = union.filter(({ resource }) => resource === scopes[0]?.resource)
  return mergeScopes(first, union)
}

/** Whether everything in `wanted` is in `held`, where `*` is every action. */
export function coversScopes(held: readonly Scope[], wanted: readonly Scope[]): boolean {
  return wanted.every(({ resource, actions }) => {
    const match = held.find(other => other.resource === resource)
    if (match === undefined) return false
    return match.actions.includes('*') || actions.every(action => match.actions.includes(action))
  })
}

/** Writes a scope as token servers take it. */
export function formatScope(scope: Scope): string {
  return `${scope.resource}:${scope.actions.join(',')}`
}
