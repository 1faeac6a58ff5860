import { parseJsonObject } from '../content/manifest.js'
import type { Context, ListOptions } from '../content/store.js'
import { type RegistryAccess, refuseWebPage } from './access.js'
import { badPage, type Page, readRegistryPages } from './pages.js'
import { RegistryError } from './registry-error.js'
import type { Scope } from './scope.js'

const PAGE_LIMIT_BYTES = 8 * 1024 * 1024
/** Every name is remembered, to see whether a page brings anything new. */
const MAXIMUM_NAMES = 1_000_000
/** Pages that brought nothing new and lead on, after which a list is given up: some servers lead on for ever (rule R71). */
const MAXIMUM_EMPTY_PAGES = 2
/** Amazon's and Docker's registries refuse to give more at once (rule R73). */
const MAXIMUM_PAGE_SIZE = 1000

/** A list of names, as a registry gives it. */
export interface NameList {
  /** For messages: `listing of the tags of localhost:5000/app`. */
  operation: string
  /** Below `/v2/`, without a query. */
  target: string
  scopes: readonly Scope[]
  /** Where the names are in the JSON of a page. */
  field: 'tags' | 'repositories'
  isName(text: string): boolean
  /** The error of a page that was refused. */
  refusal(page: Page): Error
}

/**
 * Gives the names of a list page by page: those of one page before the next is asked for (distribution-spec, Listing
 * Tags; rules R68 to R74). No page size is asked for unless less than everything is wanted. A list that comes in one
 * piece is put in order here, since distribution 2 gives its tags in none and knows no `last`. What is no name is left
 * out with a warning.
 *
 * @throws RegistryError `bad-link` when the pages lead nowhere, `too-many` above a million names; `refusal`
 */
export async function* listNames(
  registry: RegistryAccess,
  list: NameList,
  context: Context,
  { after, limit = Number.POSITIVE_INFINITY }: ListOptions = {},
): AsyncGenerator<string> {
  if (limit <= 0) return
  const { operation, scopes } = list
  const pageSize = Number.isFinite(limit) ? Math.min(limit, MAXIMUM_PAGE_SIZE) : undefined
  const seen = new Set<string>()
  let start = after
  /** Where the list as a whole begins: it comes in one piece when it comes from there. */
  let first = after
  let given = 0
  // A server without links cuts the list at the page size, and must be asked for the rest (rule R72).
  for (let isCut = true; isCut; ) {
    isCut = false
    let isWhole = start === first
    let emptyPages = 0
    const request = {
      operation,
      scopes,
      target: `${list.target}${queryOf(start, pageSize)}`,
      limitBytes: PAGE_LIMIT_BYTES,
      accept: 'application/json',
    }
    for await (const page of readRegistryPages(registry, request, context)) {
      if (page.response.status === 404 && first !== undefined && start === first) {
        // Zot does not know where to begin when the name is gone. The whole list tells, if there is one (rule R74).
        first = undefined
        start = undefined
        isCut = true
        break
      }
      if (page.response.status !== 200) throw list.refusal(page)
      refuseWebPage(page.request, page.response)
      isWhole &&= !page.hasNext
      const { names, count, last } = namesOf(page, registry, list, context)
      const fresh = [...new Set(names)].filter(name => name !== after && !seen.has(name))
      emptyPages = fresh.length === 0 ? emptyPages + 1 : 0
      if (emptyPages >= MAXIMUM_EMPTY_PAGES && page.hasNext)
        throw badPage(page.request, page.response, `${emptyPages} pages with nothing new, and a link to more`)
      for (const name of isWhole ? inOrder(fresh) : fresh) {
        seen.add(name)
        const isBefore = after !== undefined && name <= after
        if (isBefore && (isWhole || first === undefined)) continue
        yield name
        if (++given >= limit) return
      }
      if (seen.size > MAXIMUM_NAMES) throw tooMany(page, list)
      isCut = !page.hasNext && count === pageSize && fresh.length > 0
      start = last
    }
  }
}

function queryOf(last: string | undefined, pageSize: number | undefined): string {
  const query = [
    ...(pageSize === undefined ? [] : [`n=${pageSize}`]),
    ...(last === undefined ? [] : [`last=${encodeURIComponent(last)}`]),
  ]
  return query.length === 0 ? '' : `?${query.join('&')}`
}

/** The names of a page, how many items it has in all, and the last of them. */
function namesOf(
  { response }: Page,
  registry: RegistryAccess,
  { operation, field, isName }: NameList,
  context: Context,
): { names: string[]; count: number; last: string | undefined } {
  const items = parseJsonObject(response.bytes, `the answer to the ${operation}`)[field]
  const all: unknown[] = Array.isArray(items) ? items : []
  const names = all.filter(item => typeof item === 'string' && isName(item)) as string[]
  if (names.length < all.length) {
    const message = `${registry.label} lists ${all.length - names.length} names that are no ${field}; they are left out`
    context.emit({ type: 'warning', message })
  }
  return { names, count: all.length, last: names.at(-1) }
}

function inOrder(names: readonly string[]): string[] {
  return [...names].sort()
}

function tooMany({ response }: Page, { operation }: NameList): RegistryError {
  return new RegistryError(operation, {
    kind: 'failed',
    code: 'too-many',
    method: 'GET',
    url: response.url,
    outcome: `gives more than ${MAXIMUM_NAMES} names`,
    hint: 'Ask for fewer with `--limit`',
  })
}
