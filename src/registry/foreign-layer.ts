import type { Descriptor } from '../content/descriptor.js'
import type { Context } from '../content/store.js'
import { RegctlError } from '../errors.js'
import { type RepositoryAccess, sendToRegistry } from './access.js'
import { type BlobBody, type BlobRequest, bodyOf, openBlobOnce } from './blob-body.js'
import { RegistryError } from './registry-error.js'
import { discard } from './send.js'
import { resolveServerUrl, UnsafeUrlError } from './urls.js'

/** A descriptor may name as many places as it likes; so many are asked. */
const MAXIMUM_URLS = 5

/**
 * Opens a blob from a byte offset on, at the registry or, when it has none and the descriptor names other places, at
 * one of those (image-spec, Foreign layers; rule R172). The registry goes first: many hold such layers by now, and
 * nobody else need learn what is pulled.
 *
 * @returns as openBlobOnce: the bytes are not verified
 * @throws RegistryError `not-found` or `denied` of the registry, or `foreign-layer` of the last of those places
 */
export async function openBlobAnywhere(
  repository: RepositoryAccess,
  descriptor: Descriptor,
  context: Context,
  asked: BlobRequest,
): Promise<BlobBody> {
  try {
    return await openBlobOnce(repository, descriptor, context, asked)
  } catch (error) {
    const urls = (descriptor.urls ?? []).slice(0, MAXIMUM_URLS)
    const isMissing = error instanceof RegctlError && error.kind === 'not-found'
    if (!isMissing || urls.length === 0) throw error
    return await openAtFirst(repository, descriptor, urls, context, asked)
  }
}

async function openAtFirst(
  repository: RepositoryAccess,
  descriptor: Descriptor,
  urls: readonly string[],
  context: Context,
  asked: BlobRequest,
): Promise<BlobBody> {
  let failure: unknown
  for (const url of urls) {
    try {
      return await openForeign(repository, descriptor, url, context, asked)
    } catch (error) {
      if (context.signal.aborted || !(error instanceof RegctlError)) throw error
      failure = error
    }
  }
  throw failure
}

/** Asks without credentials and without answering a challenge, over https, and at no internal address (rule R212). */
async function openForeign(
  repository: RepositoryAccess,
  descriptor: Descriptor,
  text: string,
  context: Context,
  asked: BlobRequest,
): Promise<BlobBody> {
  const operation = `pull of foreign layer ${descriptor.digest} of ${repository.label}`
  const target = await checkedUrl(repository, text, operation, context)
  const range = asked.from > 0 && !asked.decode ? { range: `bytes=${asked.from}-` } : {}
  const { request, response } = await sendToRegistry(
    repository,
    {
      operation,
      method: 'GET',
      target,
      scopes: [],
      headers: { 'accept-encoding': 'identity', ...range },
      isForeign: true,
    },
    context,
  )
  if (response.status === 200 || response.status === 206)
    // Parts are asked for at the registry.
    return { ...bodyOf(request, response, descriptor, asked), givesRanges: false }
  discard(response)
  throw foreignError(operation, response.url, `answered ${response.status}`, response.status)
}

async function checkedUrl(
  { client, registry }: RepositoryAccess,
  text: string,
  operation: string,
  context: Context,
): Promise<URL> {
  const endpoint = await client.endpointOf(registry, context)
  try {
    return resolveServerUrl(text, endpoint.base, endpoint, 'urls', client.policy)
  } catch (error) {
    if (!(error instanceof UnsafeUrlError)) throw error
    throw foreignError(operation, endpoint.base, `was not sent: ${error.message}, which is refused`)
  }
}

function foreignError(operation: string, url: URL, outcome: string, status?: number): RegistryError {
  return new RegistryError(operation, {
    kind: 'not-found',
    code: 'foreign-layer',
    method: 'GET',
    url,
    status,
    reason: 'the registry does not have it, and its descriptor names another place',
    outcome,
  })
}
