import { parseJsonObject } from '../content/manifest.js'
import { isTag } from '../content/reference.js'
import type { Context, ListOptions } from '../content/store.js'
import type { RepositoryAccess } from './access.js'
import { type Page, pageError, readPages } from './pages.js'

const TAG_PAGE_LIMIT_BYTES = 8 * 1024 * 1024
const MAXIMUM_TAGS = 1_000_000
/** Pages that brought nothing new, after which a list is over: some servers lead on for ever (rule R71). */
const MAXIMUM_EMPTY_PAGES = 2

/**
 * Lists the tags of a repository, page by page (distribution-spec, Listing Tags; rules R68 to R74). A list that comes in
 * one piece is put in order here, since distribution 2 gives it in none and knows no `last`. Names that are no tags
 * are left out with a warning.
 */
export async function* listTags(
  repository: RepositoryAccess,
  context: Context,
  { after, limit = MAXIMUM_TAGS }: ListOptions = {},
): AsyncGenerator<string> {
  if (limit === 0) return
  const operation = `listing of the tags of ${repository.label}`
  const query = after === undefined ? '' : `?last=${encodeURIComponent(after)}`
  const seen = new Set<string>()
  let emptyPages = 0
  let isWhole = true
  const pages = readPages(
    repository,
    { operation, target: `tags/list${query}`, limitBytes: TAG_PAGE_LIMIT_BYTES, accept: 'application/json' },
    context,
  )
  for await (const page of pages) {
    if (page.response.status !== 200) throw pageError(page)
    isWhole &&= !page.hasNext
    const fresh = tagsOf(page, repository, context).filter(tag => !seen.has(tag) && tag !== after)
    emptyPages = fresh.length === 0 ? emptyPages + 1 : 0
    if (emptyPages >= MAXIMUM_EMPTY_PAGES) return
    for (const tag of isWhole ? inOrder(fresh, after) : fresh) {
      if (seen.has(tag)) continue
      seen.add(tag)
      yield tag
      if (seen.size >= limit) return
    }
  }
}

function tagsOf(page: Page, repository: RepositoryAccess, context: Context): string[] {
  const { tags } = parseJsonObject(page.response.bytes, `the list of tags of ${repository.label}`)
  const all: unknown[] = Array.isArray(tags) ? tags : []
  const good = all.filter(tag => typeof tag === 'string' && isTag(tag))
  if (good.length < all.length) {
    const message = `${repository.label} lists ${all.length - good.length} names that are no tags; they are left out`
    context.emit({ type: 'warning', message })
  }
  return good as string[]
}

function inOrder(tags: readonly string[], after: string | undefined): string[] {
  return tags.filter(tag => after === undefined || tag > after).sort()
}
