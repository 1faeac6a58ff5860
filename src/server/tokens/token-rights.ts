import { isRepositoryName } from '../../content/reference.js'
import type { Access } from '../access.js'

const USER_ACTIONS = ['pull', 'push', 'delete', '*']

/** Who asks for a token. Without a name nobody may do more than pull. */
export type TokenUser = { name: string } | 'anonymous'

/**
 * Which of the rights that are asked for somebody gets. The others are left out without a word, as are resources that
 * nobody has rights on (rule R100).
 */
export function grantedAccess(user: TokenUser, wanted: readonly Access[]): Access[] {
  return wanted.flatMap(({ type, name, actions }) => {
    const possible = possibleActions(user, type, name)
    const granted = [...new Set(actions)].filter(action => possible.includes(action))
    return granted.length === 0 ? [] : [{ type, name, actions: granted }]
  })
}

function possibleActions(user: TokenUser, type: string, name: string): string[] {
  if (type === 'repository' && isRepositoryName(name)) return user === 'anonymous' ? ['pull'] : USER_ACTIONS
  const isCatalog = type === 'registry' && name === 'catalog' && user !== 'anonymous'
  return isCatalog ? ['*'] : []
}
