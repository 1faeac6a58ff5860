import { type Area, accessOf } from './access.js'
import type { Authenticator } from './authenticate.js'
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
  area: Area
  handlers: Readonly<Record<string, Handler>>
}

const ROUTES: readonly Route[] = [
  { pattern: /^$/, area: 'root', handlers: { GET: ping, HEAD: ping } },
  { pattern: /^_catalog$/, area: 'catalog', handlers: { GET: listRepositories } },
  { pattern: /^(.+)\/blobs\/uploads\/?$/, area: 'uploads', handlers: { POST: postUpload } },
  {
    pattern: /^(.+)\/blobs\/uploads\/([^/]+)$/,
    area: 'uploads',
    handlers: { GET: getUpload, PATCH: patchUpload, PUT: putUpload, DELETE: deleteUpload },
  },
  {
    pattern: /^(.+)\/blobs\/([^/]+)$/,
    area: 'content',
    handlers: { GET: getBlob, HEAD: getBlob, DELETE: deleteBlob },
  },
  {
    pattern: /^(.+)\/manifests\/([^/]+)$/,
    area: 'content',
    handlers: { GET: getManifest, HEAD: getManifest, PUT: putManifest, DELETE: deleteManifest },
  },
  { pattern: /^(.+)\/tags\/list$/, area: 'content', handlers: { GET: listTags } },
  { pattern: /^(.+)\/referrers\/([^/]+)$/, area: 'content', handlers: { GET: listReferrers } },
]

/** A request whose path and method are of the API. */
interface Call {
  handler: Handler
  area: Area
  name: string
  target: string
  query: URLSearchParams
}

/**
 * Finds what answers a request, asks whether it may, and lets it answer (distribution-spec, Endpoints).
 *
 * @throws RegistryError when the path or the method is none of a registry, or the name is malformed, or the request may
 *   not do what it wants to
 */
export async function route(
  exchange: Omit<Exchange, 'query' | 'name' | 'target' | 'grant'>,
  authenticator: Authenticator,
): Promise<void> {
  const { method, request, registry } = exchange
  const call = findCall(method, request.url ?? '')
  // Strangers are told to come in first, and not even what is no path of a registry.
  const needed = call instanceof RegistryError ? [] : accessOf(call.area, method, call)
  const grant = await authenticator.authorize(request, needed)
  if (call instanceof RegistryError) throw call
  if (registry.readOnly && method !== 'GET' && method !== 'HEAD') {
    throw new RegistryError('UNSUPPORTED', 'this registry is read-only')
  }
  const { handler, query, name, target } = call
  await handler({ ...exchange, query, name, target, grant })
}

/** What a request asks for, or why it is none. */
function findCall(method: string, url: string): Call | RegistryError {
  try {
    const { path, query } = splitUrl(url)
    const { handlers, ...found } = findRoute(path)
    const handler = handlers[method]
    if (handler !== undefined) return { ...found, handler, query }
    return new RegistryError('UNSUPPORTED', `${method} is not possible here`, {
      headers: { Allow: Object.keys(handlers).join(', ') },
    })
  } catch (error) {
    if (error instanceof RegistryError) return error
    throw error
  }
}

/**
 * Takes the path as it was sent. It is never normalised: `..` in it makes a name that is refused, and not another
 * path.
 */
function splitUrl(target: string): { path: string; query: URLSearchParams } {
  // A client may send the whole URL, as to a proxy (RFC 9112, section 3.2.2).
  const url = target.replace(/^https?:\/\/[^/?#]*/i, '')
  const mark = url.indexOf('?')
  const rawPath = mark < 0 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  try {
    return { path: decodeURIComponent(rawPath), query }
  } catch {
    throw new RegistryError('NAME_INVALID', 'the path holds a malformed percent sign')
  }
}

function findRoute(path: string): Omit<Route, 'pattern'> & { name: string; target: string } {
  const below = path === '/v2' ? '' : path.startsWith('/v2/') ? path.slice('/v2/'.length) : undefined
  for (const { pattern, ...found } of below === undefined ? [] : ROUTES) {
    const match = pattern.exec(below ?? '')
    if (match === null) continue
    const [, name = '', target = ''] = match
    if (match.length > 1) repositoryNameFrom(name)
    return { ...found, name, target }
  }
  throw new RegistryError('UNSUPPORTED', 'a registry has nothing at this path', { status: 404 })
}

/** GET of the API's root, which tells that there is a registry (distribution-spec, Determining Support; end-1). */
async function ping(exchange: Exchange): Promise<void> {
  sendJson(exchange, {})
}
