import { deleteBlob, getBlob } from './blobs.js'
import { RegistryError } from './errors.js'
import { type Exchange, sendJson } from './exchange.js'
import { listRepositories, listTags } from './lists.js'
import { deleteManifest, getManifest, putManifest } from './manifests.js'
import { repositoryNameFrom } from './names.js'
import { listReferrers } from './referrers.js'
import { deleteUpload, getUpload, patchUpload, postUpload, putUpload } from './uploads.js'

type Handler = (exchange: Exchange) => Promise<void>

interface Route {
  /** Matches the path below `/v2/`; its groups are the repository's name and the last part. */
  pattern: RegExp
  handlers: Readonly<Record<string, Handler>>
}

const ROUTES: readonly Route[] = [
  { pattern: /^$/, handlers: { GET: ping, HEAD: ping } },
  { pattern: /^_catalog$/, handlers: { GET: listRepositories } },
  { pattern: /^(.+)\/blobs\/uploads\/?$/, handlers: { POST: postUpload } },
  {
    pattern: /^(.+)\/blobs\/uploads\/([^/]+)$/,
    handlers: { GET: getUpload, PATCH: patchUpload, PUT: putUpload, DELETE: deleteUpload },
  },
  { pattern: /^(.+)\/blobs\/([^/]+)$/, handlers: { GET: getBlob, HEAD: getBlob, DELETE: deleteBlob } },
  {
    pattern: /^(.+)\/manifests\/([^/]+)$/,
    handlers: { GET: getManifest, HEAD: getManifest, PUT: putManifest, DELETE: deleteManifest },
  },
  { pattern: /^(.+)\/tags\/list$/, handlers: { GET: listTags } },
  { pattern: /^(.+)\/referrers\/([^/]+)$/, handlers: { GET: listReferrers } },
]

/**
 * Finds what answers a request, and lets it answer (distribution-spec, Endpoints).
 *
 * @throws RegistryError when the path or the method is none of a registry, or the name is malformed
 */
export async function route(exchange: Omit<Exchange, 'query' | 'name' | 'target'>): Promise<void> {
  const { method, request, registry } = exchange
  const { path, query } = splitUrl(request.url ?? '')
  const found = findRoute(path)
  const handler = found.handlers[method]
  if (handler === undefined) {
    throw new RegistryError('UNSUPPORTED', `${method} is not possible here`, {
      headers: { Allow: Object.keys(found.handlers).join(', ') },
    })
  }
  if (registry.readOnly && method !== 'GET' && method !== 'HEAD') {
    throw new RegistryError('UNSUPPORTED', 'this registry is read-only')
  }
  await handler({ ...exchange, query, name: found.name, target: found.target })
}

/**
 * Takes the path as it was sent. It is never normalised: `..` in it makes a name that is refused, and not another
 * path.
 */
function splitUrl(url: string): { path: string; query: URLSearchParams } {
  const mark = url.indexOf('?')
  const rawPath = mark < 0 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  try {
    return { path: decodeURIComponent(rawPath), query }
  } catch {
    throw new RegistryError('NAME_INVALID', 'the path holds a malformed percent sign')
  }
}

function findRoute(path: string): { handlers: Route['handlers']; name: string; target: string } {
  const below = path === '/v2' ? '' : path.startsWith('/v2/') ? path.slice('/v2/'.length) : undefined
  for (const { pattern, handlers } of below === undefined ? [] : ROUTES) {
    const match = pattern.exec(below ?? '')
    if (match === null) continue
    const [, name = '', target = ''] = match
    if (match.length > 1) repositoryNameFrom(name)
    return { handlers, name, target }
  }
  throw new RegistryError('UNSUPPORTED', 'a registry has nothing at this path', { status: 404 })
}

/** GET of the API's root, which tells that there is a registry (distribution-spec, Determining Support; end-1). */
async function ping(exchange: Exchange): Promise<void> {
  sendJson(exchange, {})
}
