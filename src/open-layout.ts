import { LayoutStore } from './layout/layout-store.js'
import { type LocalLocator, LocationError } from './location.js'

/**
 * Opens the layout of a locator, to change the names in it. A manifest that loses its last name goes out of
 * `index.json` with it.
 *
 * @throws LocationError `not-a-layout` of kind `usage` for what can't be changed; LayoutError when it is not there or no layout
 */
export async function openLayoutOf(locator: LocalLocator): Promise<LayoutStore> {
  const isFolder = locator.kind === 'file' && (locator.format === undefined || locator.format === 'oci')
  if (isFolder) return await LayoutStore.open(locator.path, { keepUntagged: false })
  const what = locator.kind === 'file' ? locator.path : 'standard input'
  throw new LocationError(`the names in ${what} can't be changed`, {
    kind: 'usage',
    code: 'not-a-layout',
    hint: 'They can be in a registry, and in an OCI layout that is a folder',
  })
}
