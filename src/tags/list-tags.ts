import type { Readable } from 'node:stream'
import type { Context, ListOptions } from '../content/store.js'
import { LocationError, type Locator } from '../open/location.js'
import { openImageFile } from '../open/open-image-file.js'
import type { RegistryClient } from '../registry/client.js'
import { type NameSelection, nameFilter } from './tag-patterns.js'

/** Which names of a list are given. */
export interface ListSelection extends NameSelection {
  /** At most this many. Default: all. */
  limit?: number | undefined
}

/** What {@link listTags} takes besides the locator. */
export interface TagListOptions extends ListSelection {
  client: RegistryClient
  /** Read where the locator is `-`. */
  stdin: Readable
}

/**
 * Lists the tags of a repository, or the names in a local file or folder as they are written there. The tags of a
 * repository come page by page: no page is asked for before the names of the one before were taken.
 *
 * @throws LocationError `not-a-repository` of kind `usage` when one image is named; RegctlError `bad-pattern`; what the
 * registry or the file throws
 * @example
 * for await (const tag of listTags(locator, context, { client, stdin, include: ['1.*'] })) console.log(tag)
 */
export async function* listTags(
  locator: Locator,
  context: Context,
  { client, stdin, ...selection }: TagListOptions,
): AsyncGenerator<string> {
  if (locator.kind === 'registry') {
    const { registry, repository, tag, digest } = locator.reference
    if (tag !== undefined || digest !== undefined) throw namesOne(`${registry}/${repository}`)
    const tags = client.repository(registry, repository)
    yield* chooseNames(options => tags.listTags(context, options), selection)
    return
  }
  if (locator.kind === 'file' && locator.image !== undefined) throw namesOne(locator.path)
  const isWanted = nameFilter(selection)
  await using file = await openImageFile(locator, context, { stdin })
  const names = file.images.flatMap(image => image.names).filter(isWanted)
  yield* names.slice(0, selection.limit)
}

function namesOne(place: string): LocationError {
  return new LocationError('a list is of all tags, but this names one image', {
    kind: 'usage',
    code: 'not-a-repository',
    hint: `Ask for the list of ${place}`,
  })
}

/**
 * The names of a list that are wanted. The list itself is asked for no more than needed, which only without patterns is
 * known beforehand.
 */
export async function* chooseNames(
  list: (options: ListOptions) => AsyncIterable<string>,
  { limit, ...patterns }: ListSelection,
): AsyncGenerator<string> {
  const isWanted = nameFilter(patterns)
  const hasPatterns = [...(patterns.include ?? []), ...(patterns.exclude ?? [])].length > 0
  let given = 0
  if (limit === 0) return
  for await (const name of list(limit === undefined || hasPatterns ? {} : { limit })) {
    if (!isWanted(name)) continue
    yield name
    given++
    if (given === limit) return
  }
}
