import type { Descriptor } from '../content/descriptor.js'
import { MediaType } from '../content/media-types.js'
import { type Exchange, sendJson } from './exchange.js'
import { limitFrom, nextLink } from './lists.js'
import { digestFrom } from './names.js'

/** The most bytes of one answer: it is an index, and clients read no larger ones (rule R235). */
const PAGE_BYTES = 4 * 1024 * 1024 - 1024

/**
 * GET of the manifests that point at a digest, as an index (distribution-spec, Listing Referrers; end-12a, end-12b).
 * Nobody points at what is not there, so an unknown repository has an empty list too.
 */
export async function listReferrers(exchange: Exchange): Promise<void> {
  const { registry, query, name, target } = exchange
  const subject = digestFrom(target)
  const artifactType = query.get('artifactType')
  const store = await registry.repositories.find(name)
  const all = (await store?.listReferrers(subject, registry.context)) ?? []
  const matching =
    artifactType === null ? all : all.filter(item => (item.artifactType ?? '') === artifactType)

  const { manifests, more } = pageOf(matching, query.get('last'), limitFrom(query))
  const headers: Record<string, string> = { 'Content-Type': MediaType.ociIndex }
  if (artifactType !== null) headers['OCI-Filters-Applied'] = 'artifactType'
  const last = manifests.at(-1)
  if (more && last !== undefined) {
    const parameters = Object.fromEntries(query)
    headers.Link = nextLink(exchange, { ...parameters, last: last.digest })
  }
  sendJson(exchange, { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }, headers)
}

/** The descriptors after `last`, in the order of their digests: `limit` of them, and what fits into one answer. */
function pageOf(
  descriptors: readonly Descriptor[],
  last: string | null,
  limit = Number.POSITIVE_INFINITY,
): { manifests: Descriptor[]; more: boolean } {
  const manifests: Descriptor[] = []
  let bytes = 0
  for (const descriptor of descriptors.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))) {
    if (last !== null && descriptor.digest <= last) continue
    bytes += Buffer.byteLength(JSON.stringify(descriptor)) + 1
    const isFull = manifests.length >= limit || (bytes > PAGE_BYTES && manifests.length > 0)
    if (isFull) return { manifests, more: true }
    manifests.push(descriptor)
  }
  return { manifests, more: false }
}
