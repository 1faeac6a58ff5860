import type { Digest, DigestAlgorithm } from '../content/digest.js'
import type { BlobContent, Source, Store } from '../content/store.js'
import { verifyStream } from '../content/verify.js'
import { pullAccess } from './access.js'
import { isOutOfSpace, RegistryError } from './errors.js'
import { bodyOf, type Exchange, send } from './exchange.js'
import { digestFrom, repositoryNameFrom } from './names.js'
import { parseContentRange } from './range.js'
import type { UploadSession } from './upload-session.js'

/**
 * POST: mounts a blob, or takes a whole one, or starts an upload (distribution-spec, Pushing a blob monolithically,
 * in chunks, Mounting a blob; end-4a, end-4b, end-4c, end-11).
 */
export async function postUpload(exchange: Exchange): Promise<void> {
  const { registry, query, name } = exchange
  const mount = query.get('mount')
  if (mount !== null && (await mountBlob(exchange, digestFrom(mount)))) return

  const whole = query.get('digest')
  const digest = whole === null ? undefined : digestFrom(whole)
  const session = await registry.uploads.start(name, algorithmFrom(query.get('digest-algorithm') ?? whole))
  if (digest === undefined) sendState(exchange, session, 202)
  else await takeWhole(exchange, session, digest)
}

async function takeWhole(exchange: Exchange, session: UploadSession, digest: Digest): Promise<void> {
  const { uploads } = exchange.registry
  try {
    await uploads.use(exchange.name, session.id, () => finish(exchange, session, digest))
  } finally {
    // Nobody was told its location, so nobody can come back for what a broken request had sent.
    await uploads.end(session)
  }
}

/** PATCH: adds a chunk, or all bytes as a stream (distribution-spec, Pushing a blob in chunks; end-5). */
export async function patchUpload(exchange: Exchange): Promise<void> {
  await withSession(exchange, async session => {
    await receive(exchange, session)
    sendState(exchange, session, 202)
  })
}

/** PUT: ends an upload, perhaps with its last or its only bytes (end-6). */
export async function putUpload(exchange: Exchange): Promise<void> {
  await withSession(exchange, async session => {
    const digest = exchange.query.get('digest')
    if (digest === null) throw new RegistryError('DIGEST_INVALID', 'the request names no digest')
    await finish(exchange, session, digestFrom(digest))
  })
}

/** GET: how far an upload is (end-13). */
export async function getUpload(exchange: Exchange): Promise<void> {
  await withSession(exchange, async session => sendState(exchange, session, 204))
}

/** DELETE: gives an upload up (end-14). */
export async function deleteUpload(exchange: Exchange): Promise<void> {
  await withSession(exchange, async session => {
    await exchange.registry.uploads.end(session)
    send(exchange, 204, {})
  })
}

async function withSession(
  exchange: Exchange,
  work: (session: UploadSession) => Promise<void>,
): Promise<void> {
  const { registry, name, target } = exchange
  await registry.uploads.use(name, target, session =>
    session.exclusive(registry.uploadPatienceMs, () => work(session)),
  )
}

/** Takes the request's body, which must begin where the upload stands. */
async function receive(exchange: Exchange, session: UploadSession): Promise<void> {
  const { registry, request, name } = exchange
  const range = parseContentRange(request.headers['content-range'])
  if (range === 'malformed') {
    throw new RegistryError('BLOB_UPLOAD_INVALID', 'Content-Range must be of the form <first>-<last>')
  }
  if (range !== undefined) {
    if (range.first !== session.size) {
      throw new RegistryError(
        'RANGE_INVALID',
        `the upload has ${session.size} bytes, so the next chunk starts at ${session.size}, not at ${range.first}`,
        { headers: stateOf(name, session) },
      )
    }
    const length = request.headers['content-length']
    if (length === undefined || Number(length) !== range.last - range.first + 1) {
      throw new RegistryError('SIZE_INVALID', 'Content-Length and Content-Range do not agree')
    }
  }
  try {
    await session.append(registry.uploads.bounded(bodyOf(request)), () => request.destroy())
  } catch (error) {
    // Bytes that nobody comes back for would keep the disk full.
    if (isOutOfSpace(error)) await registry.uploads.end(session)
    throw error
  }
}

/** Takes the last bytes, checks the digest, and puts the blob in its place. */
async function finish(exchange: Exchange, session: UploadSession, digest: Digest): Promise<void> {
  const { registry, name } = exchange
  await receive(exchange, session)
  // From here on nothing moves on the connection, for as long as a large blob takes to be put in its place.
  exchange.request.socket.setTimeout(0)
  try {
    const found = await session.digest(digest)
    if (found !== digest) {
      throw new RegistryError('DIGEST_INVALID', `the bytes have the digest ${found}, not ${digest}`)
    }
    const store = await registry.repositories.create(name)
    await store.putBlob(contentOf(session, digest), registry.context)
  } finally {
    // After a wrong digest the upload is gone too: its bytes are of no use to anybody (rule R60).
    await registry.uploads.end(session)
  }
  sendCreated(exchange, digest)
}

/**
 * Takes a blob over from another repository; without `from`, from whichever has it and may be read.
 *
 * @returns false when no repository has it, and an upload is to start instead (rule R63)
 */
async function mountBlob(exchange: Exchange, digest: Digest): Promise<boolean> {
  const { registry, name, query, grant } = exchange
  const { context, repositories } = registry
  const from = query.get('from')
  const names = from === null ? repositories.listNames() : [name, repositoryNameFrom(from)]
  for await (const candidate of names) {
    if (candidate !== name && !grant.allows(pullAccess(candidate))) continue
    const origin = await repositories.find(candidate)
    const size = await origin?.statBlob(digest, context)
    if (origin === undefined || size === undefined) continue
    const target = await repositories.create(name)
    await target.putBlob(mountedContent(origin, digest, size, exchange), context)
    sendCreated(exchange, digest)
    return true
  }
  return false
}

function mountedContent(origin: Store, digest: Digest, size: number, { registry }: Exchange): BlobContent {
  const descriptor = { mediaType: 'application/octet-stream', digest, size }
  return {
    descriptor,
    origin,
    open: async (from = 0) => {
      const stream = await origin.openBlob(descriptor, registry.context, from)
      return from === 0 ? verifyStream(stream, descriptor, `blob ${digest} of ${origin.label}`) : stream
    },
  }
}

/** The blob of a finished upload. Its bytes have been hashed as they came, so the file is not checked again. */
function contentOf(session: UploadSession, digest: Digest): BlobContent {
  return {
    descriptor: { mediaType: 'application/octet-stream', digest, size: session.size },
    origin: uploadSource,
    open: async (from = 0) => session.open(from),
  }
}

/** Where uploaded blobs come from: nowhere that a store could take them from in another way. */
const uploadSource: Source = {
  label: 'upload',
  getManifest: async () => notAStore(),
  openBlob: async () => notAStore(),
  listReferrers: async () => [],
  [Symbol.asyncDispose]: async () => {},
}

function notAStore(): never {
  throw new RegistryError('UNKNOWN', 'an upload holds nothing but its blob')
}

function algorithmFrom(text: string | null): DigestAlgorithm {
  const algorithm = text?.split(':')[0] ?? 'sha256'
  if (algorithm === 'sha256' || algorithm === 'sha512') return algorithm
  throw new RegistryError('DIGEST_INVALID', 'the digest algorithm must be sha256 or sha512')
}

function stateOf(name: string, session: UploadSession): Record<string, string> {
  return {
    Location: `/v2/${name}/blobs/uploads/${session.id}`,
    // No byte yet can't be said in this form; other registries write it as 0-0 too (rule R48).
    Range: `0-${Math.max(session.size - 1, 0)}`,
    'Docker-Upload-UUID': session.id,
  }
}

function sendState(exchange: Exchange, session: UploadSession, status: 202 | 204): void {
  send(exchange, status, stateOf(exchange.name, session))
}

function sendCreated(exchange: Exchange, digest: Digest): void {
  send(exchange, 201, {
    Location: `/v2/${exchange.name}/blobs/${digest}`,
    'Docker-Content-Digest': digest,
  })
}
