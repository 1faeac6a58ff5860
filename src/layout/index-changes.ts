import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { type IndexJson, withNameless, withoutEntries, withTag } from './index-json.js'

/** What can be reached from some roots. Given by the store, which has the manifests. */
export type Reachable = (index: IndexJson) => Promise<ReadonlySet<Digest>>

/**
 * The index once a manifest was put: under each tag, or without a name where it has no tag and nothing leads to it.
 *
 * @param children what the manifest names, when it is an index. They are reached through it, and an entry without a
 * name would make each of them an image of its own, so such entries go.
 * @param repository what the tags belong to; see {@link withTag}
 */
export async function afterPut(
  index: IndexJson,
  descriptor: Descriptor,
  tags: readonly string[],
  children: ReadonlySet<Digest>,
  reachable: Reachable,
  repository?: string,
): Promise<IndexJson> {
  let changed = index
  for (const tag of tags) changed = withTag(changed, tag, descriptor, repository)
  if (tags.length === 0) changed = await withReachable(changed, [descriptor], reachable)
  return withoutEntries(changed, entry => entry.name === undefined && children.has(entry.descriptor.digest))
}

/** The index `after` a change, with an entry without a name for each root of `before` that nothing leads to any more. */
export async function keepUntagged(
  before: IndexJson,
  after: IndexJson,
  reachable: Reachable,
): Promise<IndexJson> {
  const kept = new Set(after.entries.map(entry => entry.descriptor.digest))
  const dropped = before.entries.map(entry => entry.descriptor).filter(({ digest }) => !kept.has(digest))
  return await withReachable(after, dropped, reachable)
}

/** The index with an entry without a name for each of the descriptors that nothing leads to. */
export async function withReachable(
  index: IndexJson,
  descriptors: readonly Descriptor[],
  reachable: Reachable,
): Promise<IndexJson> {
  if (descriptors.length === 0) return index
  const reached = await reachable(index)
  return withNameless(
    index,
    descriptors.filter(({ digest }) => !reached.has(digest)),
  )
}
