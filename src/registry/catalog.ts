import { isRepositoryName } from '../content/reference.js'
import type { Context, ListOptions } from '../content/store.js'
import type { RegistryAccess } from './access.js'
import { listNames } from './name-list.js'
import { type Page, pageError } from './pages.js'
import { RegistryError, waysToLogIn } from './registry-error.js'
import type { Scope } from './scope.js'

const SCOPE: Scope = { resource: 'registry:catalog', actions: ['*'] }

/** What those answer that have no catalog, besides those that only refuse it (rule R75). */
const NOT_OFFERED = new Set([400, 404, 405, 410, 501])

/**
 * Lists the repositories of a registry by Docker's `_catalog`, which is in no specification (rule R75), as
 * {@link listNames} does.
 *
 * @throws RegistryError `no-catalog`: of kind `denied` when it is refused, else `failed`
 */
export async function* listRepositories(
  registry: RegistryAccess,
  context: Context,
  options: ListOptions = {},
): AsyncGenerator<string> {
  const operation = `listing of the repositories of ${registry.label}`
  try {
    yield* listNames(
      registry,
      {
        operation,
        target: '_catalog',
        scopes: [SCOPE],
        field: 'repositories',
        isName: isRepositoryName,
        refusal: page => refusal(page, registry, operation),
      },
      context,
      options,
    )
  } catch (error) {
    // A token server may refuse as well, before the registry is asked.
    if (!(error instanceof RegistryError) || error.kind !== 'denied' || error.code === 'no-catalog')
      throw error
    throw new RegistryError(operation, {
      kind: 'denied',
      code: 'no-catalog',
      method: error.method,
      url: new URL(`https://${error.url}`),
      status: error.status,
      codes: error.codes,
      reason: `${registry.label} does not offer a catalog, or not with this login`,
      outcome: error.status === undefined ? 'was refused' : `answered ${error.status}`,
      hint: hintFor(registry, true),
      cause: error,
    })
  }
}

function refusal({ request, response }: Page, registry: RegistryAccess, operation: string): Error {
  const { status } = response
  const cause = pageError({ request, response, hasNext: false })
  const isDenied = status === 401 || status === 403
  if (!isDenied && !NOT_OFFERED.has(status)) return cause
  const condition = isDenied ? ', or not with this login' : ''
  return new RegistryError(operation, {
    kind: isDenied ? 'denied' : 'failed',
    code: 'no-catalog',
    method: request.method,
    url: response.url,
    status,
    codes: cause.codes,
    reason: `${registry.label} does not offer a catalog${condition}`,
    outcome: `answered ${status}`,
    hint: hintFor(registry, isDenied && response.credentialFrom === undefined),
    cause,
  })
}

function hintFor({ registry }: RegistryAccess, mayLogIn: boolean): string {
  const tags = `List the tags of a repository that you know: \`regctl tags ${registry}/REPO\``
  return mayLogIn ? `${tags}. ${waysToLogIn(registry)}` : tags
}
