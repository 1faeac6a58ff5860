import { type Digest, isDigest } from '../content/digest.js'
import { formatReference, parseReference } from '../content/reference.js'
import type { Context, Store } from '../content/store.js'
import { RegctlError } from '../errors.js'
import { WeightedLimit } from '../limit.js'
import { type Locator, parseLocator } from '../open/location.js'
import { openLayoutOf } from '../open/open-layout.js'
import type { RegistryClient } from '../registry/client.js'

/** Something was to be deleted in a way that makes no sense, or can't be. */
export class DeleteError extends RegctlError {}

/** One thing to delete, which was found. */
export interface Deletion {
  /** As it was given. */
  text: string
  /** `host/repository`, or `oci:folder`. */
  place: string
  /** The tag that goes, and nothing else; undefined where the manifest goes. */
  tag: string | undefined
  /** What goes, or what the tag stands for and stays. */
  digest: Digest
  isLocal: boolean
  store: Store
}

/** Tags that stand for a digest. */
export interface TagsOfDigest {
  tags: readonly string[]
  /** Whether every tag of the repository was looked at. */
  isComplete: boolean
}

/** The most tags that are looked up to say which of them a digest has. */
const MAXIMUM_LOOKUPS = 100
const LOOKUPS_AT_ONCE = 8

/**
 * Finds what is to be deleted, and changes nothing.
 *
 * @param text a reference with a tag or a digest, or a layout with a name
 * @throws DeleteError `names-nothing`, `not-found` or `tag-moved`; what parsing throws
 */
export async function findDeletion(
  text: string,
  context: Context,
  client: RegistryClient,
): Promise<Deletion> {
  const locator = await parseLocator(text, 'registry')
  const wanted = await open(locator, text, client)
  const { store, tag, digest } = wanted
  const found = await store.statManifest(tag ?? digest ?? '', context)
  if (found === undefined) throw notFound(text)
  if (digest !== undefined && found.digest !== digest) {
    throw new DeleteError(`${store.label}:${tag} is ${found.digest}, not ${digest}: it is left as it is`, {
      kind: 'failed',
      code: 'tag-moved',
      hint: 'Name the tag alone to delete it whatever it is',
    })
  }
  return { text, place: store.label, tag, digest: found.digest, isLocal: locator.kind !== 'registry', store }
}

async function open(
  locator: Locator,
  text: string,
  client: RegistryClient,
): Promise<{ store: Store; tag: string | undefined; digest: Digest | undefined }> {
  if (locator.kind === 'registry') {
    const { registry, repository, tag, digest } = locator.reference
    if (tag === undefined && digest === undefined) throw namesNothing(text, `${text}:latest`)
    return { store: client.repository(registry, repository), tag, digest }
  }
  const name = locator.kind === 'file' ? locator.image : undefined
  const store = await openLayoutOf(locator)
  if (name === undefined) throw namesNothing(text, `${store.label}:NAME`)
  const digest = name.replace(/^@/, '')
  return isDigest(digest) ? { store, tag: undefined, digest } : { store, tag: name, digest: undefined }
}

/** Nothing is deleted because somebody left it out. */
function namesNothing(text: string, example: string): DeleteError {
  return new DeleteError(`${text} names neither a tag nor a digest`, {
    kind: 'usage',
    code: 'names-nothing',
    hint: `Say what to delete, as in ${example}`,
  })
}

/** The error for what is not there. */
export function notFound(text: string): DeleteError {
  return new DeleteError(`there is no ${text}`, { kind: 'not-found', code: 'not-found' })
}

/**
 * The tags that go with a digest, among the first hundred: a HEAD for each, which costs nothing of a pull limit (rule
 * R196).
 */
export async function tagsOfDigest({ store, digest }: Deletion, context: Context): Promise<TagsOfDigest> {
  const tags: string[] = []
  for await (const tag of store.listTags(context, { limit: MAXIMUM_LOOKUPS + 1 })) tags.push(tag)
  const limit = new WeightedLimit({ count: LOOKUPS_AT_ONCE })
  const digests = await Promise.all(
    tags.slice(0, MAXIMUM_LOOKUPS).map(tag => limit.run(1, () => store.statManifest(tag, context))),
  )
  return {
    tags: tags.filter((_, position) => digests[position]?.digest === digest),
    isComplete: tags.length <= MAXIMUM_LOOKUPS,
  }
}

/** How to delete the manifest that a tag stands for. */
export function digestReference({ text, digest }: Deletion): string {
  const { registry, repository } = parseReference(text)
  return formatReference({ registry, repository, digest })
}

/** What was deleted, as it is said: the tag in full, or the digest. */
export function deletionName({ place, tag, digest }: Pick<Deletion, 'place' | 'tag' | 'digest'>): string {
  return tag === undefined ? `${place}@${digest}` : `${place}:${tag}`
}
