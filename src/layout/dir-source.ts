import type { Readable } from 'node:stream'
import type { Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import { type Digest, digestOf } from '../content/digest.js'
import type { ImageFile } from '../content/image-file.js'
import { MANIFEST_LIMIT_BYTES, parseManifest } from '../content/manifest.js'
import { printable } from '../content/printable.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { sizeMismatch, verifyBytes } from '../content/verify.js'
import type { FileSet, FileSetEntry } from '../tar/file-set.js'
import {
  blobFile,
  checkVersion,
  manifestFile,
  ROOT_FILE,
  VERSION_FILE,
  VERSION_LIMIT_BYTES,
} from './dir-format.js'
import { checkSignal, LayoutError } from './layout-error.js'
import { readSmallFile, tooLarge } from './layout-format.js'
import { imageID } from './list-images.js'
import { ManifestGraph } from './manifest-graph.js'

/**
 * Opens a folder in skopeo's `dir` format. It holds one image, which has no name.
 *
 * @param files are disposed with the result, or here when it throws
 * @throws RegctlError `bad-layout`, `missing-manifest`, `too-large`; those of `parseManifest`
 */
export async function openDir(files: FileSet, context: Context): Promise<ImageFile> {
  try {
    checkSignal(context)
    const source = await DirSource.open(files)
    const { digest, mediaType } = source.root.descriptor
    const manifest = parseManifest(source.root.bytes, mediaType, `${ROOT_FILE} in ${files.label}`)
    return {
      format: 'dir',
      label: files.label,
      images: [{ names: [], digest, configDigest: imageID(manifest), root: digest, source }],
      [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
    }
  } catch (error) {
    await files[Symbol.asyncDispose]()
    throw error
  }
}

/** Reads the image in a folder of the `dir` format. The set of files stays the caller's. */
export class DirSource implements Source {
  readonly label: string
  readonly isAtHand = true
  /** The image's manifest or index. */
  readonly root: RawManifest
  readonly #files: FileSet
  readonly #named = new Map<Digest, Descriptor>()
  readonly #graph: ManifestGraph

  /** For a root that was read already; see {@link DirSource.open}. */
  constructor(files: FileSet, root: RawManifest) {
    this.label = files.label
    this.root = root
    this.#files = files
    this.#graph = new ManifestGraph(async descriptor => {
      if (descriptor.digest === root.descriptor.digest) return root
      if ((await files.stat(manifestFile(descriptor.digest))) === undefined) return undefined
      return await this.#readManifest(descriptor)
    })
    this.#rememberChildren(root)
  }

  /** Reads `version` and `manifest.json`. @throws as {@link openDir} */
  static async open(files: FileSet): Promise<DirSource> {
    checkVersion(await readSmallFile(files, VERSION_FILE, VERSION_LIMIT_BYTES), files.label)
    const bytes = await readSmallFile(files, ROOT_FILE, MANIFEST_LIMIT_BYTES)
    if (bytes === undefined) {
      throw new LayoutError(`${files.label} has no ${ROOT_FILE}`, {
        kind: 'corrupt',
        code: 'missing-manifest',
      })
    }
    const { mediaType } = parseManifest(bytes, undefined, `${ROOT_FILE} in ${files.label}`)
    const digest = digestOf(bytes)
    return new DirSource(files, { descriptor: { mediaType, digest, size: bytes.length }, bytes })
  }

  /**
   * Finds the root or a manifest below it, by digest.
   *
   * @throws RegctlError `missing-blob` when an index names it but it is not there; those of `parseManifest`
   */
  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    checkSignal(context)
    if (tagOrDigest === this.root.descriptor.digest) return this.root
    const digest = tagOrDigest as Digest
    const descriptor =
      this.#named.get(digest) ?? (await this.#graph.find([this.root.descriptor], digest, context))
    if (descriptor !== undefined) return await this.#readManifest(descriptor)
    throw new LayoutError(`there is no image ${tagOrDigest} in ${this.label}`, {
      kind: 'not-found',
      code: 'no-such-image',
    })
  }

  async #readManifest(descriptor: Descriptor): Promise<RawManifest> {
    const { digest, mediaType, size } = descriptor
    const what = `manifest ${digest} in ${this.label}`
    if (size > MANIFEST_LIMIT_BYTES) throw tooLarge(what, MANIFEST_LIMIT_BYTES)
    const { name } = await this.#checkFile(manifestFile(digest), descriptor, what)
    const bytes = await this.#files.read(name, 0, size)
    verifyBytes(bytes, descriptor, what)
    const parsed = parseManifest(bytes, mediaType === '' ? undefined : mediaType, what)
    const manifest = { descriptor: { mediaType: parsed.mediaType, digest, size }, bytes }
    this.#rememberChildren(manifest)
    return manifest
  }

  #rememberChildren({ descriptor, bytes }: RawManifest): void {
    const parsed = parseManifest(
      bytes,
      descriptor.mediaType,
      `manifest ${descriptor.digest} in ${this.label}`,
    )
    if (parsed.kind === 'image') return
    for (const child of parsed.manifests)
      if (!this.#named.has(child.digest)) this.#named.set(child.digest, child)
  }

  /**
   * Opens a blob. A file of another size than the descriptor's is refused before any byte of it (rule R207).
   *
   * @throws RegctlError `missing-blob` or `size-mismatch`
   */
  async openBlob(descriptor: Descriptor, context: Context, from = 0): Promise<Readable> {
    checkSignal(context)
    const what = `blob ${descriptor.digest} in ${this.label}`
    const { name } = await this.#checkFile(blobFile(descriptor.digest), descriptor, what)
    return await this.#files.open(name, from)
  }

  async *blobChunks(descriptor: Descriptor, context: Context, from = 0): Chunks {
    checkSignal(context)
    const what = `blob ${descriptor.digest} in ${this.label}`
    const { name } = await this.#checkFile(blobFile(descriptor.digest), descriptor, what)
    yield* this.#files.chunks(name, from)
  }

  async statBlob(digest: Digest, context: Context): Promise<number | undefined> {
    checkSignal(context)
    return (await this.#files.stat(blobFile(digest)))?.size
  }

  async #checkFile(file: string, descriptor: Descriptor, what: string): Promise<FileSetEntry> {
    const entry = await this.#files.stat(file)
    if (entry === undefined) {
      throw new LayoutError(
        `${what} (${printable(descriptor.mediaType)}) is missing: the image names it but it is not there`,
        {
          kind: 'corrupt',
          code: 'missing-blob',
        },
      )
    }
    if (entry.size !== descriptor.size) throw sizeMismatch(what, descriptor.size, `${entry.size}`)
    return entry
  }

  async listReferrers(subject: Digest, context: Context): Promise<Descriptor[]> {
    return await this.#graph.listReferrers([this.root.descriptor], subject, context)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
