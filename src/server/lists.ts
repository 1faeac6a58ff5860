import type { ListOptions } from '../content/store.js'
import { RegistryError } from './errors.js'
import { type Exchange, findRepository, sendJson } from './exchange.js'

/** GET of the tags (distribution-spec, Listing Tags; end-8a, end-8b). */
export async function listTags(exchange: Exchange): Promise<void> {
  const store = await findRepository(exchange)
  const { registry, name } = exchange
  const { names, headers } = await page(exchange, options => store.listTags(registry.context, options))
  sendJson(exchange, { name, tags: names }, headers)
}

/** GET of the repositories' names, as Docker's registry has it; the specification has none (rule R75). */
export async function listRepositories(exchange: Exchange): Promise<void> {
  const { names, headers } = await page(exchange, options =>
    exchange.registry.repositories.listNames(options),
  )
  sendJson(exchange, { repositories: names }, headers)
}

/**
 * The part of a list that was asked for by `n` and `last`, with a link to the next when there is more. `n=0` is an
 * empty list without a link (rule R69).
 */
async function page(
  exchange: Exchange,
  list: (options: ListOptions) => AsyncIterable<string>,
): Promise<{ names: string[]; headers: Record<string, string> }> {
  const limit = limitFrom(exchange.query)
  const after = exchange.query.get('last')
  if (limit === 0) return { names: [], headers: {} }
  const names: string[] = []
  const options = {
    ...(after !== null && after !== '' && { after }),
    ...(limit !== undefined && { limit: limit + 1 }),
  }
  for await (const name of list(options)) names.push(name)
  if (limit === undefined || names.length <= limit) return { names, headers: {} }
  names.length = limit
  return { names, headers: { Link: nextLink(exchange, { n: `${limit}`, last: names.at(-1) ?? '' }) } }
}

/**
 * The page size of a request; undefined when it has none.
 *
 * @throws RegistryError PAGINATION_NUMBER_INVALID
 */
export function limitFrom(query: URLSearchParams): number | undefined {
  const text = query.get('n')
  if (text === null || text === '') return undefined
  const limit = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(limit)) return limit
  throw new RegistryError('PAGINATION_NUMBER_INVALID', 'n must be a whole number')
}

/** The `Link` header for the next page: this request's path with other parameters (RFC 8288). */
export function nextLink({ request }: Exchange, parameters: Record<string, string>): string {
  const path = request.url?.split('?')[0] ?? ''
  return `<${path}?${new URLSearchParams(parameters)}>; rel="next"`
}
