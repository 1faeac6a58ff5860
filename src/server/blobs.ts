import type { Digest } from '../content/digest.js'
import type { Store } from '../content/store.js'
import { entityTag, isKnown, mayBeRange } from './entity-tag.js'
import { RegistryError } from './errors.js'
import { type Exchange, findRepository, send, sendStream } from './exchange.js'
import { digestFrom } from './names.js'
import { parseRange } from './range.js'

/** HEAD and GET of a blob (distribution-spec, Pulling blobs; end-2, end-10 for Range). */
export async function getBlob(exchange: Exchange): Promise<void> {
  const digest = digestFrom(exchange.target)
  const store = await findRepository(exchange)
  const size = await store.statBlob(digest, exchange.registry.context)
  if (size === undefined) throw blobUnknown(exchange.name, digest)

  const fixed = {
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    'Accept-Ranges': 'bytes',
    ETag: entityTag(digest),
  }
  const { request } = exchange
  if (isKnown(request, digest)) return send(exchange, 304, fixed)
  const range = mayBeRange(request, digest) ? parseRange(request.headers.range, size) : undefined
  if (range === 'unsatisfiable') {
    throw new RegistryError('RANGE_INVALID', `the blob has ${size} bytes, none of which is in the range`, {
      headers: { 'Content-Range': `bytes */${size}` },
    })
  }
  const { first, last } = range ?? { first: 0, last: size - 1 }
  const headers = {
    ...fixed,
    'Content-Length': last - first + 1,
    ...(range !== undefined && { 'Content-Range': `bytes ${first}-${last}/${size}` }),
  }
  const status = range === undefined ? 200 : 206
  if (exchange.method === 'HEAD' || last < first) send(exchange, status, headers)
  else await sendBytes(exchange, store, { digest, size }, status, headers, { first, last })
}

async function sendBytes(
  exchange: Exchange,
  store: Store,
  blob: { digest: Digest; size: number },
  status: number,
  headers: Record<string, string | number>,
  range: { first: number; last: number },
): Promise<void> {
  const descriptor = { mediaType: 'application/octet-stream', ...blob }
  const stream = await store.openBlob(descriptor, exchange.registry.context, range.first)
  const isWhole = range.last === blob.size - 1
  await sendStream(
    exchange,
    status,
    headers,
    isWhole ? stream : firstBytes(stream, range.last - range.first + 1),
  )
}

/** DELETE of a blob (distribution-spec, Deleting Blobs; end-10). */
export async function deleteBlob(exchange: Exchange): Promise<void> {
  const digest = digestFrom(exchange.target)
  const store = await findRepository(exchange)
  const wasThere = await store.deleteBlob(digest, exchange.registry.context)
  if (!wasThere) throw blobUnknown(exchange.name, digest)
  send(exchange, 202, {})
}

function blobUnknown(name: string, digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', `${name} has no blob ${digest}`)
}

/** Passes on so many bytes and no more. */
async function* firstBytes(stream: AsyncIterable<Buffer>, count: number): AsyncIterable<Buffer> {
  let left = count
  for await (const chunk of stream) {
    yield chunk.subarray(0, left)
    left -= chunk.length
    if (left <= 0) return
  }
}
