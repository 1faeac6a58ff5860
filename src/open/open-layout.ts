import { LayoutError } from '../layout/layout-error.js'
import { LayoutStore } from '../layout/layout-store.js'
import { type LocalLocator, LocationError } from './location.js'

/**
 * Opens the layout of a locator, to change the names in it. A manifest that loses its last name goes out of
 * `index.json` with it.
 *
 * @throws LocationError `not-a-layout` of kind `usage` for what can't be changed; LayoutError when it is not there or no layout
 */
export async function openLayoutOf(locator: LocalLocator): Promise<LayoutStore> {
  const { kind, format } = locator
  if (kind === 'stdio') throw notALayout('standard input')
  if (format !== undefined && format !== 'oci') throw notALayout(locator.path)
  try {
    return await LayoutStore.open(locator.path, { keepUntagged: false })
  } catch (error) {
    if (error instanceof LayoutError && error.code === 'not-a-folder') throw notALayout(locator.path, error)
    throw error
  }
}

function notALayout(what: string, cause?: unknown): LocationError {
  return new LocationError(`the names in ${what} can't be changed`, {
    kind: 'usage',
    code: 'not-a-layout',
    hint: 'They can be in a registry, and in an OCI layout that is a folder',
    cause,
  })
}
