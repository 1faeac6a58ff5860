import type { Descriptor } from '../content/descriptor.js'
import { algorithmOf, type Digest, hexOf } from '../content/digest.js'
import { type Index, parseManifest } from '../content/manifest.js'
import { essenceOf, MediaType } from '../content/media-types.js'
import type { Context } from '../content/store.js'
import { type RepositoryAccess, responseError, sendTo } from './access.js'
import { getManifest } from './manifests.js'
import { pageError, readPages } from './pages.js'
import { RegistryError } from './registry-error.js'
import { headerOf } from './send.js'

const REFERRERS_PAGE_LIMIT_BYTES = 4 * 1024 * 1024
const MAXIMUM_REFERRERS = 10_000
/** What a registry without the referrers API answers (rule R77). */
const NOT_OFFERED = new Set([400, 404, 405, 406, 501])

/**
 * Lists the manifests whose subject is a digest (distribution-spec, Listing Referrers), by the referrers tag where the
 * registry has no such list (Unavailable Referrers API; rules R76 to R79).
 */
export async function listReferrers(
  repository: RepositoryAccess,
  subject: Digest,
  context: Context,
): Promise<Descriptor[]> {
  const found = new Map<Digest, Descriptor>()
  const operation = `listing of the referrers of ${repository.label}@${subject}`
  const pages = readPages(
    repository,
    {
      operation,
      target: `referrers/${subject}`,
      limitBytes: REFERRERS_PAGE_LIMIT_BYTES,
      accept: MediaType.ociIndex,
    },
    context,
  )
  for await (const page of pages) {
    const mediaType = essenceOf(headerOf(page.response, 'content-type') ?? '')
    const isOffered = page.response.status === 200 && mediaType === MediaType.ociIndex
    if (!isOffered && (page.response.status === 200 || NOT_OFFERED.has(page.response.status))) {
      return await listByTag(repository, subject, context)
    }
    if (!isOffered) throw pageError(page)
    const index = parseManifest(page.response.bytes, mediaType, `the list of referrers of ${subject}`)
    if (index.kind === 'index')
      for (const descriptor of index.manifests) found.set(descriptor.digest, descriptor)
    if (found.size > MAXIMUM_REFERRERS) {
      throw new RegistryError(operation, {
        kind: 'failed',
        code: 'too-many',
        method: 'GET',
        url: page.response.url,
        outcome: `lists more than ${MAXIMUM_REFERRERS} manifests`,
      })
    }
  }
  return [...found.values()]
}

const offers = new WeakMap<RepositoryAccess, Promise<boolean>>()

/** Whether a registry keeps lists of referrers by itself. Asked once for each repository: no table of hosts stays true (rule R83). */
export function hasReferrersApi(
  repository: RepositoryAccess,
  subject: Digest,
  context: Context,
): Promise<boolean> {
  const known = offers.get(repository)
  if (known !== undefined) return known
  const asked = askForApi(repository, subject, context)
  offers.set(repository, asked)
  asked.catch(() => offers.delete(repository))
  return asked
}

async function askForApi(repository: RepositoryAccess, subject: Digest, context: Context): Promise<boolean> {
  const { request, response } = await sendTo(
    repository,
    {
      operation: `check for lists of referrers in ${repository.label}`,
      method: 'GET',
      target: `referrers/${subject}`,
      access: 'push',
      headers: { accept: MediaType.ociIndex },
      collectLimitBytes: REFERRERS_PAGE_LIMIT_BYTES,
    },
    context,
  )
  if (response.status !== 200 && !NOT_OFFERED.has(response.status)) throw responseError(request, response)
  const mediaType = essenceOf(headerOf(response, 'content-type') ?? '')
  return response.status === 200 && mediaType === MediaType.ociIndex
}

/** The tag under which referrers are kept where the registry has no list of them (distribution-spec, Referrers Tag Schema; rule R78). */
export function referrersTag(subject: Digest): string {
  return `${algorithmOf(subject).slice(0, 32)}-${hexOf(subject).slice(0, 64)}`
}

async function listByTag(
  repository: RepositoryAccess,
  subject: Digest,
  context: Context,
): Promise<Descriptor[]> {
  let index: Index | undefined
  try {
    const { descriptor, bytes } = await getManifest(repository, referrersTag(subject), context)
    // GitLab takes the tag for the digest and answers with the subject itself (rule R79).
    if (descriptor.digest === subject || descriptor.mediaType !== MediaType.ociIndex) return []
    const parsed = parseManifest(bytes, descriptor.mediaType, `the list of referrers of ${subject}`)
    index = parsed.kind === 'index' ? parsed : undefined
  } catch (error) {
    if (!(error instanceof RegistryError) || error.kind !== 'not-found') throw error
  }
  const unique = new Map((index?.manifests ?? []).map(descriptor => [descriptor.digest, descriptor]))
  return [...unique.values()]
}
