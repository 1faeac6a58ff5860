import { ContentError } from './content-error.js'
import type { Descriptor, Platform } from './descriptor.js'
import { type Digest, digestOf, isDigest, parseDigest } from './digest.js'
import { isDeeperThan, MAXIMUM_JSON_DEPTH } from './json-depth.js'
import { isImageManifestType, isIndexType, isManifestType, isSchema1Type, MediaType } from './media-types.js'
import { printable } from './printable.js'
import type { RawManifest } from './store.js'

/** The most bytes of a manifest that are read into memory (rules R28, R235). */
export const MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024
/** The most bytes of a config that are read into memory (rule R235). */
export const CONFIG_LIMIT_BYTES = 16 * 1024 * 1024

/** One image's manifest, as far as we need to know it. */
export interface ImageManifest {
  kind: 'image'
  mediaType: string
  config: Descriptor
  layers: readonly Descriptor[]
  subject?: Descriptor
  artifactType?: string
  annotations: Readonly<Record<string, string>>
}

/** An index or manifest list, as far as we need to know it. */
export interface Index {
  kind: 'index'
  mediaType: string
  manifests: readonly Descriptor[]
  subject?: Descriptor
  artifactType?: string
  annotations: Readonly<Record<string, string>>
}

type JsonObject = Record<string, unknown>

/**
 * Reads a manifest or an index (image-spec, Image Manifest, Image Index; Docker's version 2, schema 2).
 * Fields that are unknown are ignored; the two kinds are never confused (rules R177, R229).
 *
 * @param bytes the exact bytes
 * @param mediaType what the descriptor or the Content-Type header says; undefined when nothing is known
 * @param what for messages: `manifest sha256:… of image.tar`
 * @throws ContentError `bad-json`, `bad-shape`, `bad-digest`, `ambiguous`, `media-type-mismatch` or `unsupported`
 */
export function parseManifest(
  bytes: Uint8Array,
  mediaType: string | undefined,
  what: string,
): ImageManifest | Index {
  const document = parseJsonObject(bytes, what)
  if (isSchema1Type(mediaType ?? '') || 'fsLayers' in document || document.schemaVersion === 1) {
    throw new ContentError(`${what} has Docker's old schema 1, which is not supported`, {
      kind: 'corrupt',
      code: 'unsupported',
      hint: 'Push the image again with a present version of the tool that made it',
    })
  }
  const isIndex = 'manifests' in document
  const isImage = 'layers' in document || 'config' in document
  if (isIndex && isImage) {
    throw new ContentError(
      `${what} has both "manifests" and "layers" or "config": it can be read in two ways`,
      {
        kind: 'corrupt',
        code: 'ambiguous',
      },
    )
  }
  const own = typeOf(document, isIndex, isImage, mediaType, what)
  if (own === undefined) throw badShape(what, 'has neither "manifests" nor "config" and "layers"')
  const common = {
    mediaType: own,
    annotations: stringMap(document.annotations, what, 'annotations'),
    ...(document.subject != null && { subject: parseDescriptor(document.subject, `subject of ${what}`) }),
    ...(typeof document.artifactType === 'string' && { artifactType: document.artifactType }),
  }
  if (isIndexType(own)) {
    return { kind: 'index', ...common, manifests: descriptorList(document.manifests, what, 'manifests') }
  }
  if (document.config == null) throw badShape(what, 'has no "config"')
  return {
    kind: 'image',
    ...common,
    config: parseDescriptor(document.config, `config of ${what}`),
    layers: descriptorList(document.layers, what, 'layers'),
  }
}

function typeOf(
  document: JsonObject,
  isIndex: boolean,
  isImage: boolean,
  announced: string | undefined,
  what: string,
): string | undefined {
  const own = document.mediaType
  if (own !== undefined && typeof own !== 'string') throw badShape(what, '"mediaType" is no string')
  const shaped = isIndex ? MediaType.ociIndex : isImage ? MediaType.ociManifest : undefined
  const type =
    own !== undefined && own !== ''
      ? own
      : announced !== undefined && isManifestType(announced)
        ? announced
        : shaped
  if (type === undefined) return undefined
  if (!isManifestType(type)) {
    throw new ContentError(
      `${what} has the media type "${printable(type).slice(0, 200)}", which is not known`,
      {
        kind: 'corrupt',
        code: 'unsupported',
      },
    )
  }
  const disagrees =
    (isIndexType(type) && isImage) ||
    (isImageManifestType(type) && isIndex) ||
    (announced !== undefined && isManifestType(announced) && isIndexType(announced) !== isIndexType(type))
  if (disagrees) {
    throw new ContentError(
      `${what} is announced as ${announced ?? type} but its content is of another kind`,
      {
        kind: 'corrupt',
        code: 'media-type-mismatch',
      },
    )
  }
  return type
}

/**
 * Reads a descriptor out of parsed JSON (image-spec, OCI Content Descriptors).
 *
 * @param what for messages: `layer of manifest sha256:…`
 * @throws ContentError `bad-shape` or `bad-digest`
 */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw badShape(what, 'is not an object')
  const { mediaType, digest, size, urls, data, artifactType } = value
  if (typeof digest !== 'string') throw badShape(what, 'has no "digest"')
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw badShape(what, 'has a "size" that is no whole number of bytes')
  }
  if (mediaType !== undefined && typeof mediaType !== 'string')
    throw badShape(what, 'has a "mediaType" that is no string')
  if (!isDigest(digest)) {
    try {
      parseDigest(digest)
    } catch (cause) {
      throw new ContentError(`${what}: ${(cause as Error).message}`, {
        kind: 'corrupt',
        code: 'bad-digest',
        cause,
      })
    }
  }
  return {
    mediaType: mediaType ?? '',
    digest: digest as Digest,
    size,
    ...(value.annotations != null && { annotations: stringMap(value.annotations, what, 'annotations') }),
    ...(Array.isArray(urls) && { urls: urls.filter(url => typeof url === 'string') }),
    ...(typeof data === 'string' && { data }),
    ...(typeof artifactType === 'string' && { artifactType }),
    ...(isObject(value.platform) && { platform: parsePlatformObject(value.platform) }),
  }
}

function parsePlatformObject(value: JsonObject): Platform {
  const text = (field: string) => (typeof value[field] === 'string' ? (value[field] as string) : undefined)
  const variant = text('variant')
  const version = text('os.version')
  const features = value['os.features']
  return {
    os: text('os') ?? '',
    architecture: text('architecture') ?? '',
    ...(variant !== undefined && variant !== '' && { variant }),
    ...(version !== undefined && { 'os.version': version }),
    ...(Array.isArray(features) && {
      'os.features': features.filter(feature => typeof feature === 'string'),
    }),
  }
}

function descriptorList(value: unknown, what: string, field: string): Descriptor[] {
  // A manifest without layers is written by some tools as null.
  if (value === null && field === 'layers') return []
  if (!Array.isArray(value)) throw badShape(what, `has "${field}" that is no list`)
  return value.map((item, position) => parseDescriptor(item, `${field}[${position}] of ${what}`))
}

function stringMap(value: unknown, what: string, field: string): Record<string, string> {
  const map: Record<string, string> = Object.create(null)
  if (value == null) return map
  if (!isObject(value)) throw badShape(what, `has "${field}" that is no object`)
  for (const [key, text] of Object.entries(value)) if (typeof text === 'string') map[key] = text
  return map
}

/**
 * Parses bytes as a JSON object.
 *
 * @throws ContentError `bad-json` when it is not JSON, `bad-shape` when it is something else than an object
 */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  const value = parseJson(bytes, what)
  if (!isObject(value)) throw badShape(what, 'is no JSON object')
  return value
}

/**
 * Parses bytes as JSON in UTF-8; a byte order mark is passed over.
 *
 * @throws ContentError `bad-json`, also for what is nested deeper than {@link MAXIMUM_JSON_DEPTH} (rule R228)
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  if (isDeeperThan(bytes, MAXIMUM_JSON_DEPTH)) {
    const message = `${what} is JSON that is nested more than ${MAXIMUM_JSON_DEPTH} levels deep`
    throw new ContentError(message, { kind: 'corrupt', code: 'bad-json' })
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new ContentError(`${what} is not JSON`, { kind: 'corrupt', code: 'bad-json', cause })
  }
}

/** Whether a parsed JSON value is an object, and neither a list nor null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The error for JSON of the wrong shape. `why` continues the sentence that `what` begins. */
export function badShape(what: string, why: string): ContentError {
  return new ContentError(`${what} ${why}`, { kind: 'corrupt', code: 'bad-shape' })
}

/** Everything that a manifest or index names directly: children of an index; config and layers of an image. */
export function childrenOf(manifest: ImageManifest | Index): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests : [manifest.config, ...manifest.layers]
}

/** A manifest made here: its bytes with the descriptor of them. */
export function rawManifest(mediaType: string, bytes: Uint8Array): RawManifest {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes }
}
