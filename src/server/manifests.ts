import { algorithmOf, type Digest, digestOf } from '../content/digest.js'
import { type ImageManifest, type Index, parseManifest } from '../content/manifest.js'
import { essenceOf, isForeignLayerType, isManifestType } from '../content/media-types.js'
import type { RawManifest, Store } from '../content/store.js'
import { messageOf } from '../errors.js'
import { entityTag, isKnown } from './entity-tag.js'
import { RegistryError } from './errors.js'
import { bodyOf, type Exchange, findRepository, send } from './exchange.js'
import { tagFrom, tagOrDigestFrom } from './names.js'

/** HEAD and GET of a manifest by tag or digest (distribution-spec, Pulling manifests; end-3). */
export async function getManifest(exchange: Exchange): Promise<void> {
  const { registry, target, name, method } = exchange
  tagOrDigestFrom(target)
  const store = await findRepository(exchange)
  const descriptor = await store.statManifest(target, registry.context)
  if (descriptor === undefined) throw manifestUnknown(name, target)
  const headers = {
    'Content-Type': descriptor.mediaType,
    'Docker-Content-Digest': descriptor.digest,
    ETag: entityTag(descriptor.digest),
  }
  if (isKnown(exchange.request, descriptor.digest)) return send(exchange, 304, headers)
  // By digest, so that a tag that moves meanwhile can't give the headers of one and the bytes of another.
  const bytes =
    method === 'HEAD' ? undefined : (await store.getManifest(descriptor.digest, registry.context)).bytes
  send(exchange, 200, { ...headers, 'Content-Length': descriptor.size }, bytes)
}

/** PUT of a manifest by tag or digest, perhaps with more tags (distribution-spec, Pushing Manifests; end-7). */
export async function putManifest(exchange: Exchange): Promise<void> {
  const { registry, target, name, query } = exchange
  const reference = tagOrDigestFrom(target)
  const tags = query.getAll('tag').map(tagFrom)
  if ('tag' in reference) tags.unshift(reference.tag)

  const bytes = await readManifest(exchange)
  const digest = digestOf(bytes, 'digest' in reference ? algorithmOf(reference.digest) : 'sha256')
  if ('digest' in reference && digest !== reference.digest) {
    throw new RegistryError(
      'DIGEST_INVALID',
      `the manifest has the digest ${digest}, not ${reference.digest}`,
    )
  }
  const { manifest, parsed } = parse(exchange, bytes, digest)
  const store = await registry.repositories.find(name)
  await checkReferences(exchange, store, parsed)

  await (store ?? (await registry.repositories.create(name))).putManifest(manifest, tags, registry.context)
  send(exchange, 201, {
    Location: `/v2/${name}/manifests/${digest}`,
    'Docker-Content-Digest': digest,
    ...(tags.length > 0 && { 'OCI-Tag': tags }),
    ...(parsed.subject !== undefined && { 'OCI-Subject': parsed.subject.digest }),
  })
}

/** DELETE of a tag or a manifest (distribution-spec, Deleting tags, Deleting Manifests; end-9). */
export async function deleteManifest(exchange: Exchange): Promise<void> {
  const { registry, target, name } = exchange
  const reference = tagOrDigestFrom(target)
  const store = await findRepository(exchange)
  const wasThere =
    'tag' in reference
      ? await store.deleteTag(reference.tag, registry.context)
      : await store.deleteManifest(reference.digest, registry.context)
  if (!wasThere) throw manifestUnknown(name, target)
  send(exchange, 202, {})
}

async function readManifest({ request, registry }: Exchange): Promise<Buffer> {
  const limit = registry.manifestLimitBytes
  const tooLarge = new RegistryError('SIZE_INVALID', `a manifest may have ${limit} bytes at most`, {
    status: 413,
  })
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of bodyOf(request)) {
    size += chunk.length
    if (size > limit) throw tooLarge
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

function parse(
  { request }: Exchange,
  bytes: Buffer,
  digest: Digest,
): { manifest: RawManifest; parsed: ImageManifest | Index } {
  const header = request.headers['content-type']
  const contentType = header === undefined ? undefined : essenceOf(header)
  if (contentType !== undefined && !isManifestType(contentType)) {
    throw new RegistryError('MANIFEST_INVALID', `the Content-Type "${contentType}" is none of a manifest`)
  }
  let parsed: ImageManifest | Index
  try {
    parsed = parseManifest(bytes, contentType, 'the manifest')
  } catch (error) {
    throw new RegistryError('MANIFEST_INVALID', messageOf(error), { cause: error })
  }
  if (contentType !== undefined && contentType !== parsed.mediaType) {
    throw new RegistryError(
      'MANIFEST_INVALID',
      `the Content-Type is ${contentType} but the manifest's mediaType is ${parsed.mediaType}`,
    )
  }
  const descriptor = { mediaType: parsed.mediaType, digest, size: bytes.length }
  return { manifest: { descriptor, bytes }, parsed }
}

/**
 * Refuses an image whose config or layers are not in the repository. Layers that may not be distributed are left out
 * (rule R172), the subject may come later (distribution-spec, Pushing Manifests with Subject), and an index may name
 * images that are not here, as a copy of some platforms does (image-spec, Image Index: sparse indexes).
 */
async function checkReferences(
  { registry, name }: Exchange,
  store: Store | undefined,
  parsed: ImageManifest | Index,
): Promise<void> {
  if (parsed.kind === 'index' || registry.allowMissingBlobs) return
  for (const blob of [parsed.config, ...parsed.layers]) {
    if (isForeignLayerType(blob.mediaType)) continue
    const size = await store?.statBlob(blob.digest, registry.context)
    if (size === undefined) {
      throw new RegistryError(
        'MANIFEST_BLOB_UNKNOWN',
        `${name} has no blob ${blob.digest}, which the manifest names`,
      )
    }
    if (size !== blob.size) {
      throw new RegistryError(
        'MANIFEST_INVALID',
        `the manifest says that blob ${blob.digest} has ${blob.size} bytes, but it has ${size}`,
      )
    }
  }
}

function manifestUnknown(name: string, target: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', `${name} has no manifest ${target}`)
}
