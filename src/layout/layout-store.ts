import type { Readable } from 'node:stream'
import type { Chunks } from '../content/chunks.js'
import type { Descriptor } from '../content/descriptor.js'
import { type Digest, isDigest } from '../content/digest.js'
import { MANIFEST_LIMIT_BYTES, parseManifest } from '../content/manifest.js'
import { pageOf } from '../content/memory-store.js'
import type { BlobContent, Context, ListOptions, RawManifest, Store } from '../content/store.js'
import { verifyBytes } from '../content/verify.js'
import { BlobFolder, type BlobFolderOptions, contentOf } from './blob-folder.js'
import { FolderIndex } from './folder-index.js'
import { afterPut, keepUntagged, type Reachable, withReachable } from './index-changes.js'
import { type IndexJson, withoutEntries } from './index-json.js'
import { checkSignal, LayoutError } from './layout-error.js'
import { initializeLayout, isLayout } from './layout-folder.js'
import { tooLarge } from './layout-format.js'
import { ManifestGraph } from './manifest-graph.js'
import { entryTagged } from './names.js'
import { Serial } from './serial.js'

/** How a {@link LayoutStore} behaves. */
export interface LayoutStoreOptions extends BlobFolderOptions {
  /** Make the layout when the folder is absent or empty. Default: false. Nothing is made before the first write. */
  create?: boolean
  /**
   * Whether a manifest stays in `index.json`, without a name, when its last tag moves or goes, as in a registry.
   * Default: true.
   */
  keepUntagged?: boolean
  /**
   * Whether each call leaves what it did on the disk: a blob with its name, a manifest without a tag in `index.json`. Default:
   * false, which waits for {@link LayoutStore.commit}, so that the children of an index never stand there as images of their own,
   * and leaves the blobs to the system: a killed process leaves nothing broken, but a failing power may, and what a layout
   * misses is had again where it came from. `durable` says otherwise.
   */
  writeThrough?: boolean
  /**
   * The full name of the repository (`docker.io/acme/app`) that tags put here belong to: each is also noted as the full
   * reference, and those of other repositories stay. Default: tags are tags alone.
   */
  repository?: string | undefined
  /** For messages. Default: `oci:` and the folder. */
  label?: string
}

/**
 * An OCI layout in a folder, for reading and writing (image-spec, Image Layout). A tag is the annotation
 * `org.opencontainers.image.ref.name` of an entry of `index.json`. Several stores and processes may work on one folder.
 *
 * @example
 * await using store = await LayoutStore.open('./out', { create: true })
 */
export class LayoutStore implements Store {
  readonly label: string
  readonly asksFreely = true
  readonly #folder: string
  readonly #options: Omit<LayoutStoreOptions, 'label' | keyof BlobFolderOptions>
  readonly #blobs: BlobFolder
  readonly #index: FolderIndex
  readonly #graph: ManifestGraph
  /** Manifests that were put without a tag and that no index names yet. */
  readonly #pending = new Map<Digest, Descriptor>()
  readonly #writing = new Serial<Digest>()
  /** The blobs whose bytes this store has checked: another store may take them as they are. */
  readonly #verified = new Set<Digest>()
  #initialized: Promise<void> | undefined

  private constructor(folder: string, options: LayoutStoreOptions) {
    const { create = false, keepUntagged = true, writeThrough = false, repository } = options
    this.label = options.label ?? `oci:${folder}`
    this.#folder = folder
    this.#options = { create, keepUntagged, writeThrough, repository }
    this.#blobs = new BlobFolder(folder, { durable: writeThrough, ...options })
    this.#index = new FolderIndex(folder, this.label, { durable: writeThrough })
    this.#graph = new ManifestGraph(descriptor => this.#readManifest(descriptor))
  }

  /**
   * Opens a layout.
   *
   * @throws LayoutError of kind `not-found`, code `no-such-folder`; `bad-layout` when the folder holds something else;
   * `missing-index`
   */
  static async open(folder: string, options: LayoutStoreOptions = {}): Promise<LayoutStore> {
    const store = new LayoutStore(folder, options)
    if (await isLayout(folder, options.create ?? false)) {
      if (!store.#options.create) await store.#index.read()
      await store.#blobs.tidy()
    }
    return store
  }

  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    const descriptor = await this.#find(tagOrDigest, context)
    const manifest = descriptor && (await this.#readManifest(descriptor))
    if (manifest !== undefined) return manifest
    throw notFound(`${this.label} has no manifest ${tagOrDigest}`, 'missing-manifest')
  }

  async statManifest(tagOrDigest: string, context: Context): Promise<Descriptor | undefined> {
    const descriptor = await this.#find(tagOrDigest, context)
    if (descriptor === undefined || (await this.#blobs.stat(descriptor.digest)) === undefined)
      return undefined
    if (descriptor.mediaType === '') return (await this.#readManifest(descriptor))?.descriptor
    const { mediaType, digest, size } = descriptor
    return { mediaType, digest, size }
  }

  async hasManifest(digest: Digest, context: Context): Promise<boolean> {
    return (await this.statManifest(digest, context)) !== undefined
  }

  async #find(tagOrDigest: string, context: Context): Promise<Descriptor | undefined> {
    checkSignal(context)
    const index = await this.#index.readIfAny()
    if (!isDigest(tagOrDigest)) {
      const { repository } = this.#options
      return entryTagged(index?.entries ?? [], tagOrDigest, repository, this.label)?.descriptor
    }
    return await this.#graph.find(this.#roots(index), tagOrDigest, context)
  }

  #roots(index: IndexJson | undefined): Descriptor[] {
    return [...(index?.entries ?? []).map(entry => entry.descriptor), ...this.#pending.values()]
  }

  async #readManifest(descriptor: Descriptor): Promise<RawManifest | undefined> {
    const { digest, size } = descriptor
    const what = `manifest ${digest} in ${this.label}`
    if (size > MANIFEST_LIMIT_BYTES) throw tooLarge(what, MANIFEST_LIMIT_BYTES)
    const bytes = await this.#blobs.read(descriptor, what)
    if (bytes === undefined) return undefined
    const mediaType = descriptor.mediaType || parseManifest(bytes, undefined, what).mediaType
    return { descriptor: { mediaType, digest, size }, bytes }
  }

  async openBlob(descriptor: Descriptor, context: Context, from = 0): Promise<Readable> {
    checkSignal(context)
    return await this.#blobs.stream(descriptor, this.label, from)
  }

  blobChunks(descriptor: Descriptor, context: Context, from = 0): Chunks {
    checkSignal(context)
    return this.#blobs.chunks(descriptor, this.label, from)
  }

  async statBlob(digest: Digest, context: Context): Promise<number | undefined> {
    checkSignal(context)
    return await this.#blobs.stat(digest)
  }

  async hasBlob(descriptor: Descriptor, context: Context): Promise<boolean> {
    return (await this.statBlob(descriptor.digest, context)) === descriptor.size
  }

  async listReferrers(subject: Digest, context: Context): Promise<Descriptor[]> {
    checkSignal(context)
    const roots = this.#roots(await this.#index.readIfAny())
    const referrers = await this.#graph.listReferrers(roots, subject, context)
    const sizes = await Promise.all(referrers.map(({ digest }) => this.#blobs.stat(digest)))
    return referrers.filter((_, position) => sizes[position] !== undefined)
  }

  async *listTags(context: Context, options: ListOptions = {}): AsyncIterable<string> {
    checkSignal(context)
    const names = (await this.#index.readIfAny())?.entries.map(entry => entry.refName) ?? []
    yield* pageOf(new Set(names.filter(name => name !== undefined)), options)
  }

  /** Takes a blob; from another layout in the same file system it becomes a second name of the same file. */
  async putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'> {
    // A second put of the same blob finds what the first one left.
    const result = await this.#writing.run(blob.descriptor.digest, () => this.#putBlob(blob, context))
    if (this.#options.writeThrough) await this.#blobs.sync()
    return result
  }

  async #putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'> {
    if (await this.hasBlob(blob.descriptor, context)) return 'exists'
    await this.initialize()
    const { digest } = blob.descriptor
    if (await this.#link(blob)) return 'mounted'
    try {
      await this.#blobs.write(contentOf(blob, context), context.signal)
    } catch (error) {
      checkSignal(context)
      throw error
    }
    this.#verified.add(digest)
    return 'copied'
  }

  /** Only what is known to be right gets a second name: a broken file would be broken here as well (rule R205). */
  async #link({ descriptor, origin }: BlobContent): Promise<boolean> {
    if (!(origin instanceof LayoutStore) || !origin.#verified.has(descriptor.digest)) return false
    if ((await origin.#blobs.stat(descriptor.digest)) !== descriptor.size) return false
    if (!(await this.#blobs.linkFrom(origin.#blobs, descriptor.digest))) return false
    this.#verified.add(descriptor.digest)
    return true
  }

  async putManifest(manifest: RawManifest, tags: readonly string[], context: Context): Promise<void> {
    checkSignal(context)
    const { mediaType, digest, size } = manifest.descriptor
    const what = `manifest ${digest} for ${this.label}`
    verifyBytes(manifest.bytes, manifest.descriptor, what)
    const parsed = parseManifest(manifest.bytes, mediaType, what)
    await this.initialize()
    if ((await this.#blobs.stat(digest)) !== size) {
      await this.#blobs.writeBytes(digest, manifest.bytes)
      this.#graph.forget(digest)
    }
    const descriptor = { mediaType, digest, size }
    const children = new Set(parsed.kind === 'index' ? parsed.manifests.map(child => child.digest) : [])
    if (tags.length > 0 || this.#options.writeThrough) {
      await this.#blobs.sync()
      const [reachable, { repository }] = [this.#reachable(context), this.#options]
      await this.#index.update(async index => {
        const changed = await afterPut(index, descriptor, tags, children, reachable, repository)
        return await this.#keepUntagged(index, changed, context)
      })
      this.#pending.delete(digest)
    } else this.#pending.set(digest, descriptor)
    for (const child of children) this.#pending.delete(child)
  }

  /** Puts the manifests that have no tag and are in no index into `index.json`, so that they are found again. */
  async commit(context: Context): Promise<void> {
    checkSignal(context)
    await this.initialize()
    await this.#blobs.sync()
    const pending = [...this.#pending.values()]
    if (pending.length === 0 && (await this.#index.exists())) return
    this.#pending.clear()
    await this.#index.update(index => withReachable(index, pending, this.#reachable(context)))
  }

  async deleteTag(tag: string, context: Context): Promise<boolean> {
    checkSignal(context)
    let found = false
    await this.#update(async index => {
      const changed = withoutEntries(index, entry => entry.refName === tag)
      found = changed !== index
      return await this.#keepUntagged(index, changed, context)
    })
    return found
  }

  async deleteManifest(digest: Digest, context: Context): Promise<boolean> {
    const descriptor = await this.#find(digest, context)
    if (descriptor === undefined) return false
    const present: Descriptor[] = []
    for (const child of await this.#graph.childrenOf(descriptor, context)) {
      if ((await this.#blobs.stat(child.digest)) !== undefined) present.push(child)
    }
    this.#pending.delete(digest)
    await this.#update(async index => {
      const changed = withoutEntries(index, entry => entry.descriptor.digest === digest)
      return await withReachable(changed, present, this.#reachable(context))
    })
    const removed = await this.#blobs.remove(digest)
    this.#graph.forget(digest)
    return removed
  }

  /** Removes a blob. A manifest is not removed this way, since its entries would lead nowhere. */
  async deleteBlob(digest: Digest, context: Context): Promise<boolean> {
    if ((await this.#find(digest, context)) !== undefined) return false
    this.#verified.delete(digest)
    return await this.#blobs.remove(digest)
  }

  #reachable(context: Context): Reachable {
    return index => this.#graph.reachable(this.#roots(index), context)
  }

  async #keepUntagged(before: IndexJson, after: IndexJson, context: Context): Promise<IndexJson> {
    return this.#options.keepUntagged ? await keepUntagged(before, after, this.#reachable(context)) : after
  }

  async #update(change: (index: IndexJson) => Promise<IndexJson>): Promise<void> {
    if (await this.#index.exists()) await this.#index.update(change)
  }

  /** Makes the folder and its `oci-layout` if need be. Done by the first write. */
  initialize(): Promise<void> {
    const { writeThrough = false } = this.#options
    this.#initialized ??= initializeLayout(this.#folder, writeThrough).catch(error => {
      this.#initialized = undefined
      throw error
    })
    return this.#initialized
  }

  /** Blobs that were put stay: the next run finds them in place. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

function notFound(message: string, code: string): LayoutError {
  return new LayoutError(message, { kind: 'not-found', code })
}
