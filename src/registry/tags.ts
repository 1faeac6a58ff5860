import { parseJsonObject } from '../content/manifest.js'
import { isTag } from '../content/reference.js'
import type { Context, ListOptions } from '../content/store.js'
import type { RepositoryAccess } from './access.js'
import { pageError, readPages } from './pages.js'

const TAG_PAGE_LIMIT_BYTES = 8 * 1024 * 1024
const MAXIMUM_TAGS = 1_000_000
/** Pages that brought nothing new, after which a list is over: some servers lead on for ever (rule R71). */
const MAXIMUM_EMPTY_PAGES = 2

/**
 * Lists the tags of a repository, page by page (distribution-spec, Listing Tags; rules R68 to R73). Names that are no
 * tags are left out with a warning.
 */
export async function* listTags(
  repository: RepositoryAccess,
  context: Context,
  { after, limit }: ListOptions = {},
): AsyncGenerator<string> {
  if (limit === 0) return
  const operation = `listing of the tags of ${repository.label}`
  const query = after === undefined ? '' : `?last=${encodeURIComponent(after)}`
  const seen = new Set<string>()
  let emptyPages = 0
  let given = 0
  const pages = readPages(
    repository,
    { operation, target: `tags/list${query}`, limitBytes: TAG_PAGE_LIMIT_BYTES, accept: 'application/json' },
    context,
  )
  for await (const page of pages) {
    if (page.response.status !== 200) throw pageError(page)
    const { tags } = parseJsonObject(page.response.bytes, `the list of tags of ${repository.label}`)
    const before = seen.size
    for (const tag of Array.isArray(tags) ? tags : []) {
      if (typeof tag !== 'string' || !isTag(tag)) {
        context.emit({
          type: 'warning',
          message: `${repository.label} lists something that is no tag; it is left out`,
        })
        continue
      }
      // Servers differ in whether they know `last`: what comes before it is left out here too.
      if (seen.has(tag) || tag === after) continue
      if (seen.size >= MAXIMUM_TAGS) return
      seen.add(tag)
      yield tag
      given++
      if (limit !== undefined && given >= limit) return
    }
    emptyPages = seen.size === before ? emptyPages + 1 : 0
    if (emptyPages >= MAXIMUM_EMPTY_PAGES) return
  }
}
