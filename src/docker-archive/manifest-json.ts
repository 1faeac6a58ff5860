import { type Digest, isDigest, parseDigest } from '../content/digest.js'
import { badShape, isObject, parseJson, parseJsonObject } from '../content/manifest.js'
import { parseReference } from '../content/reference.js'
import { messageOf } from '../errors.js'
import type { FileSet } from '../tar/file-set.js'
import { brokenArchive } from './docker-archive-error.js'

/** The name of the file that makes an archive a docker-archive. */
export const MANIFEST_JSON = 'manifest.json'

/** The most bytes of manifest.json that are read: far more than thousands of images need (rule R189). */
const MANIFEST_JSON_LIMIT_BYTES = 4 * 1024 * 1024

/** The most images of one archive: each of them is looked at when the archive is opened. */
const MAXIMUM_IMAGES = 10_000

/** One entry of manifest.json (rule R183). */
export interface ManifestJsonImage {
  /** The config's file in the archive. */
  config: string
  /** Names as `docker save` wrote them; each is a valid reference. */
  repoTags: readonly string[]
  /** The layers' files in the archive, from the base up. */
  layers: readonly string[]
}

/**
 * Reads manifest.json. Keys are matched without regard to case, because there are tools that write them in lower case.
 *
 * @throws RegctlError `too-large`, `bad-json` or `bad-shape`; and what the file set throws
 */
export async function readManifestJson(files: FileSet): Promise<ManifestJsonImage[]> {
  const what = `${MANIFEST_JSON} of ${files.label}`
  const list = parseJson(await readSmall(files, MANIFEST_JSON, MANIFEST_JSON_LIMIT_BYTES), what)
  if (!Array.isArray(list)) throw badShape(what, 'is no list of images')
  if (list.length > MAXIMUM_IMAGES) {
    throw brokenArchive(
      'too-large',
      `${what} names ${list.length} images, more than the ${MAXIMUM_IMAGES} that are read`,
    )
  }
  return list.map((item, position) => readImage(item, `image ${position + 1} in ${what}`))
}

function readImage(item: unknown, what: string): ManifestJsonImage {
  if (!isObject(item)) throw badShape(what, 'is no object')
  const fields = new Map(Object.entries(item).map(([key, value]) => [key.toLowerCase(), value]))
  const config = fields.get('config')
  if (typeof config !== 'string' || config === '') throw badShape(what, 'names no Config')
  const repoTags = textList(fields.get('repotags'), what, 'RepoTags')
  for (const name of repoTags) {
    try {
      parseReference(name)
    } catch (error) {
      throw badShape(what, `has a RepoTag that is no name: ${messageOf(error)}`)
    }
  }
  return { config, repoTags, layers: textList(fields.get('layers'), what, 'Layers') }
}

function textList(value: unknown, what: string, field: string): string[] {
  if (value == null) return []
  if (!Array.isArray(value) || value.some(item => typeof item !== 'string')) {
    throw badShape(what, `has "${field}" that is no list of texts`)
  }
  return value
}

/** What we need to know of an image's config. */
export interface ImageConfig {
  bytes: Uint8Array
  /** From the base up, one for each layer. */
  diffIDs: readonly Digest[]
}

/**
 * Reads the diffIDs out of a config (image-spec, Image Configuration, rootfs).
 *
 * @throws RegctlError `bad-json`, `bad-shape` or `bad-digest`
 */
export function parseImageConfig(bytes: Uint8Array, what: string): ImageConfig {
  const config = parseJsonObject(bytes, what)
  if (!isObject(config.rootfs)) throw badShape(what, 'has no "rootfs"')
  const diffIDs = config.rootfs.diff_ids ?? []
  if (!Array.isArray(diffIDs)) throw badShape(what, 'has "diff_ids" that is no list')
  for (const diffID of diffIDs) {
    if (typeof diffID !== 'string') throw badShape(what, 'has a diffID that is no text')
    if (!isDigest(diffID))
      throw brokenArchive('bad-digest', `${what} has a diffID that is wrong: ${whyBad(diffID)}`)
  }
  return { bytes, diffIDs }
}

function whyBad(digest: string): string {
  try {
    return parseDigest(digest)
  } catch (error) {
    return messageOf(error)
  }
}

/**
 * Reads a whole file of the archive into memory.
 *
 * @throws DockerArchiveError `too-large` when there is more than the limit, before anything is read
 */
export async function readSmall(files: FileSet, name: string, limitBytes: number): Promise<Uint8Array> {
  const entry = await files.stat(name)
  if (entry !== undefined && entry.size > limitBytes) {
    throw brokenArchive(
      'too-large',
      `${name} of ${files.label} has ${entry.size} bytes, more than the ${limitBytes} that are read of it`,
    )
  }
  return await files.read(name, 0, limitBytes)
}
