import { isTag } from '../content/reference.js'
import type { Context, ListOptions } from '../content/store.js'
import type { RepositoryAccess } from './access.js'
import { listNames } from './name-list.js'
import { pageError } from './pages.js'
import { repositoryScope } from './scope.js'

/** Lists the tags of a repository (distribution-spec, Listing Tags) as {@link listNames} does. */
export function listTags(
  repository: RepositoryAccess,
  context: Context,
  options: ListOptions = {},
): AsyncGenerator<string> {
  return listNames(
    repository,
    {
      operation: `listing of the tags of ${repository.label}`,
      target: `${repository.name}/tags/list`,
      scopes: [repositoryScope(repository.name, 'pull')],
      field: 'tags',
      isName: isTag,
      refusal: pageError,
    },
    context,
    options,
  )
}
