import { Readable } from 'node:stream'
import type { Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import { algorithmOf, type Digest, digestOf, isDigest } from '../content/digest.js'
import type { ImageFile } from '../content/image-file.js'
import { MANIFEST_LIMIT_BYTES, parseManifest } from '../content/manifest.js'
import { isManifestType, isSchema1Type } from '../content/media-types.js'
import { printable } from '../content/printable.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { sizeMismatch, verifyBytes } from '../content/verify.js'
import type { FileSet } from '../tar/file-set.js'
import { cosignEntry } from './cosign-entries.js'
import { type IndexEntry, type IndexJson, parseIndexJson } from './index-json.js'
import { checkSignal, LayoutError } from './layout-error.js'
import {
  blobPath,
  checkLayoutFile,
  INDEX_FILE,
  INDEX_LIMIT_BYTES,
  LAYOUT_FILE,
  LAYOUT_LIMIT_BYTES,
  noIndexFile,
  noLayoutFile,
  readSmallFile,
  tooLarge,
} from './layout-format.js'
import { listImages } from './list-images.js'
import { ManifestGraph } from './manifest-graph.js'
import { entryNamed } from './names.js'

/**
 * Opens an OCI layout, in a folder or in an archive, and lists its images. `images` is empty when `index.json` names
 * none. An image that is broken is listed as well: the error comes when it is read.
 *
 * @param files are disposed with the result, or here when it throws
 * @throws as {@link LayoutSource.open}
 * @example
 * await using layout = await openLayout(await openFolder('./out'), createContext())
 */
export async function openLayout(files: FileSet, context: Context): Promise<ImageFile> {
  try {
    const source = await LayoutSource.open(files)
    return {
      format: 'oci-layout',
      label: files.label,
      images: await listImages(source, context),
      [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
    }
  } catch (error) {
    await files[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * Reads images from an OCI layout, in a folder or in an archive (image-spec, Image Layout). Nothing is written, and
 * the set of files stays the caller's: it lives as long as the source and is disposed after it.
 */
export class LayoutSource implements Source {
  readonly label: string
  readonly isAtHand = true
  /** What `index.json` lists, in its order. */
  readonly entries: readonly IndexEntry[]
  readonly #files: FileSet
  readonly #roots: readonly Descriptor[]
  /** How each manifest seen so far is named: what `getManifest` would otherwise look for again. */
  readonly #named = new Map<Digest, Descriptor>()
  readonly #graph: ManifestGraph

  /** For an index that was read already; see {@link LayoutSource.open}. */
  constructor(files: FileSet, index: IndexJson) {
    this.label = files.label
    this.#files = files
    this.entries = index.entries
    this.#roots = index.entries.map(entry => entry.descriptor)
    for (const descriptor of this.#roots) this.#remember(descriptor)
    this.#graph = new ManifestGraph(async descriptor => {
      if ((await this.#files.stat(blobPath(descriptor.digest))) === undefined) return undefined
      return await this.#readManifest(descriptor)
    })
  }

  /**
   * Reads `oci-layout` and `index.json`.
   *
   * @throws RegctlError `bad-layout`, `missing-index`, `bad-json`, `bad-shape`, `bad-digest`, `ambiguous`, `too-large`;
   * what the set of files throws
   */
  static async open(files: FileSet): Promise<LayoutSource> {
    const layout = await readSmallFile(files, LAYOUT_FILE, LAYOUT_LIMIT_BYTES)
    if (layout === undefined) throw noLayoutFile(files.label)
    checkLayoutFile(layout, files.label)
    const index = await readSmallFile(files, INDEX_FILE, INDEX_LIMIT_BYTES)
    if (index === undefined) throw noIndexFile(files.label)
    return new LayoutSource(files, parseIndexJson(index, `${INDEX_FILE} in ${files.label}`))
  }

  /**
   * Finds a manifest by digest, wherever an index names it, or by one of its names in `index.json`. What
   * `cosign save` wrote is found by cosign's tags too.
   *
   * @throws RegctlError `missing-blob` when it is named but not there; `ambiguous` when several manifests have the
   * name; `unsupported` for a type that is none of the four known ones; those of `parseManifest`
   */
  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    checkSignal(context)
    const descriptor = isDigest(tagOrDigest)
      ? await this.#find(tagOrDigest, context)
      : (entryNamed(this.entries, tagOrDigest, this.label) ?? cosignEntry(this.entries, tagOrDigest))
          ?.descriptor
    if (descriptor === undefined) {
      throw new LayoutError(`there is no image ${tagOrDigest} in ${this.label}`, {
        kind: 'not-found',
        code: 'no-such-image',
      })
    }
    return await this.#readManifest(descriptor)
  }

  async #find(digest: Digest, context: Context): Promise<Descriptor | undefined> {
    return this.#named.get(digest) ?? (await this.#graph.find(this.#roots, digest, context))
  }

  async #readManifest(descriptor: Descriptor): Promise<RawManifest> {
    const { digest, mediaType } = descriptor
    const what = `manifest ${digest} in ${this.label}`
    if (mediaType !== '' && !isManifestType(mediaType) && !isSchema1Type(mediaType)) {
      throw new LayoutError(
        `${what} has the media type "${printable(mediaType).slice(0, 200)}", which is not known`,
        {
          kind: 'corrupt',
          code: 'unsupported',
        },
      )
    }
    if (descriptor.size > MANIFEST_LIMIT_BYTES) throw tooLarge(what, MANIFEST_LIMIT_BYTES)
    await this.#checkBlob(descriptor, what)
    const bytes = await this.#files.read(blobPath(digest), 0, descriptor.size)
    verifyBytes(bytes, descriptor, what)
    const manifest = parseManifest(bytes, mediaType === '' ? undefined : mediaType, what)
    if (manifest.kind === 'index') for (const child of manifest.manifests) this.#remember(child)
    return { descriptor: { mediaType: manifest.mediaType, digest, size: descriptor.size }, bytes }
  }

  #remember(descriptor: Descriptor): void {
    if (!this.#named.has(descriptor.digest)) this.#named.set(descriptor.digest, descriptor)
  }

  /**
   * Opens a blob. A file of another size than the descriptor's is refused before any byte of it (rule R207).
   *
   * @throws RegctlError `missing-blob` or `size-mismatch`
   */
  async openBlob(descriptor: Descriptor, context: Context, from = 0): Promise<Readable> {
    const inline = await this.#inlineData(descriptor, context)
    if (inline !== undefined) return Readable.from([inline.subarray(from)], { objectMode: false })
    return await this.#files.open(blobPath(descriptor.digest), from)
  }

  async *blobChunks(descriptor: Descriptor, context: Context, from = 0): Chunks {
    const inline = await this.#inlineData(descriptor, context)
    if (inline === undefined) yield* this.#files.chunks(blobPath(descriptor.digest), from)
    else yield inline.subarray(from)
  }

  /** What stands in the descriptor of a blob that has no file; undefined when there is a file, which has the right size. */
  async #inlineData(descriptor: Descriptor, context: Context): Promise<Buffer | undefined> {
    checkSignal(context)
    if ((await this.#files.stat(blobPath(descriptor.digest))) === undefined) {
      const inline = inlineData(descriptor)
      if (inline !== undefined) return inline
    }
    await this.#checkBlob(descriptor, `blob ${descriptor.digest} in ${this.label}`)
    return undefined
  }

  async statBlob(digest: Digest, context: Context): Promise<number | undefined> {
    checkSignal(context)
    return (await this.#files.stat(blobPath(digest)))?.size
  }

  async #checkBlob(descriptor: Descriptor, what: string): Promise<void> {
    const entry = await this.#files.stat(blobPath(descriptor.digest))
    if (entry === undefined) {
      const type = descriptor.mediaType === '' ? '' : ` (${printable(descriptor.mediaType)})`
      throw new LayoutError(`${what}${type} is missing: the layout names it but does not hold it`, {
        kind: 'corrupt',
        code: 'missing-blob',
      })
    }
    if (entry.size !== descriptor.size) throw sizeMismatch(what, descriptor.size, `${entry.size}`)
  }

  async listReferrers(subject: Digest, context: Context): Promise<Descriptor[]> {
    return await this.#graph.listReferrers(this.#roots, subject, context)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The content that a descriptor carries itself; undefined unless size and digest are right (rule R171). */
function inlineData({ data, digest, size }: Descriptor): Buffer | undefined {
  if (data === undefined) return undefined
  const bytes = Buffer.from(data, 'base64')
  return bytes.length === size && digestOf(bytes, algorithmOf(digest)) === digest ? bytes : undefined
}
