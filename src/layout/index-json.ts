import { ContentError } from '../content/content-error.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { badShape, isObject, parseDescriptor, parseJsonObject } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'

/** The full reference of an image, as containerd and Docker note it. */
export const IMAGE_NAME_ANNOTATION = 'io.containerd.image.name'
/** The tag, or whatever a tool takes for the name of an image (image-spec, Annotations). */
export const REF_NAME_ANNOTATION = 'org.opencontainers.image.ref.name'

type JsonObject = Record<string, unknown>

/** One entry of an `index.json`. */
export interface IndexEntry {
  descriptor: Descriptor
  /** What people call it: the full reference when there is one (rule R186); undefined when it has no name. */
  name: string | undefined
  /** What `org.opencontainers.image.ref.name` holds: the tag, for the layouts that we write. */
  refName: string | undefined
  /** The entry as it stands in the file, with the fields that we don't know. */
  raw: JsonObject
}

/** An `index.json`: its entries, and everything else in it, so that it can be written again with nothing lost. */
export interface IndexJson {
  readonly document: JsonObject
  readonly entries: readonly IndexEntry[]
}

/** The index of a layout that holds nothing yet. */
export const EMPTY_INDEX: IndexJson = {
  document: { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] },
  entries: [],
}

/**
 * Reads an `index.json` (image-spec, Image Layout, index.json file). Entries of unknown media types are kept like the
 * others (rule R190).
 *
 * @param what for messages: `index.json in image.tar`
 * @throws ContentError `bad-json`, `bad-shape`, `bad-digest` or `ambiguous`
 */
export function parseIndexJson(bytes: Uint8Array, what: string): IndexJson {
  const document = parseJsonObject(bytes, what)
  // Docker 25 writes null for an image that its index does not list.
  const manifests = document.manifests === null ? [] : document.manifests
  if (!Array.isArray(manifests)) throw badShape(what, 'has no list of "manifests"')
  if ('layers' in document || 'config' in document) {
    throw new ContentError(
      `${what} has "manifests" and also "layers" or "config": it can be read in two ways`,
      {
        kind: 'corrupt',
        code: 'ambiguous',
      },
    )
  }
  const entries = manifests.map((raw: unknown, position) => {
    const where = `manifests[${position}] of ${what}`
    const descriptor = parseDescriptor(raw, where)
    if (!isObject(raw)) throw badShape(where, 'is not an object')
    return indexEntry(descriptor, raw)
  })
  return { document, entries }
}

function indexEntry(descriptor: Descriptor, raw: JsonObject): IndexEntry {
  const refName = nonEmpty(descriptor.annotations?.[REF_NAME_ANNOTATION])
  return {
    descriptor,
    raw,
    refName,
    name: nonEmpty(descriptor.annotations?.[IMAGE_NAME_ANNOTATION]) ?? refName,
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** The bytes of an `index.json`. Equal contents give equal bytes. */
export function formatIndexJson(index: IndexJson): Buffer {
  return Buffer.from(JSON.stringify({ ...index.document, manifests: index.entries.map(entry => entry.raw) }))
}

/**
 * The same index with `tag` at `descriptor`: the entry of that tag is replaced where it stands, or a new one comes
 * last. A nameless entry of the same digest goes, since it has a name now.
 *
 * @param repository the full name that the tag belongs to (`docker.io/acme/app`). When given, the entry also has the full
 * reference by which containerd and Docker load the image (rule R186), and other repositories' entries of that tag stay
 */
export function withTag(
  index: IndexJson,
  tag: string,
  descriptor: Descriptor,
  repository?: string,
): IndexJson {
  const tagged = newEntry(descriptor, tag, repository)
  const isOld = ({ name, refName }: IndexEntry) =>
    repository === undefined ? refName === tag : name === tagged.name || (name === tag && refName === tag)
  const old = index.entries.findIndex(isOld)
  const entries = index.entries
    .map((entry, position) => (position === old ? tagged : entry))
    .filter(entry => entry === tagged || !(isOld(entry) || isNameless(entry, descriptor.digest)))
  return { document: index.document, entries: old < 0 ? [...entries, tagged] : entries }
}

/** The same index with an entry without a name for each descriptor whose digest has no entry yet. */
export function withNameless(index: IndexJson, descriptors: Iterable<Descriptor>): IndexJson {
  const digests = new Set<Digest>(index.entries.map(entry => entry.descriptor.digest))
  const added: IndexEntry[] = []
  for (const descriptor of descriptors) {
    if (digests.has(descriptor.digest)) continue
    digests.add(descriptor.digest)
    added.push(newEntry(descriptor, undefined))
  }
  return added.length === 0 ? index : { document: index.document, entries: [...index.entries, ...added] }
}

/** The same index without the entries that `remove` picks. */
export function withoutEntries(index: IndexJson, remove: (entry: IndexEntry) => boolean): IndexJson {
  const entries = index.entries.filter(entry => !remove(entry))
  return entries.length === index.entries.length ? index : { document: index.document, entries }
}

/** The same index with its entries ordered by name and digest, so that it doesn't tell in which order they came. */
export function inFixedOrder(index: IndexJson): IndexJson {
  const keyOf = ({ name = '', descriptor }: IndexEntry) => `${name}\0${descriptor.digest}`
  const entries = [...index.entries].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  return { document: index.document, entries }
}

/** Whether an entry stands for this digest and has no name. */
function isNameless(entry: IndexEntry, digest: Digest): boolean {
  return entry.descriptor.digest === digest && entry.name === undefined
}

function newEntry(descriptor: Descriptor, tag: string | undefined, repository?: string): IndexEntry {
  const { mediaType, digest, size } = descriptor
  const annotations = tag !== undefined && {
    ...(repository !== undefined && { [IMAGE_NAME_ANNOTATION]: `${repository}:${tag}` }),
    [REF_NAME_ANNOTATION]: tag,
  }
  const written: Descriptor = { mediaType, digest, size, ...(annotations && { annotations }) }
  return indexEntry(written, { ...written })
}
