import { readFile, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { BlobContent, Context, RawManifest, Sink, Source } from '../content/store.js'
import { systemCodeOf } from '../errors.js'
import { Arrivals } from '../files/arrivals.js'
import { explainDiskError } from '../files/disk-error.js'
import { type ArchiveMember, bytesMember, fileMember } from './archive-members.js'
import { streamArchive, writeArchive } from './archive-output.js'
import { ArrivingSource } from './arriving-source.js'
import { blobNames, sizeOfBlobs } from './blob-names.js'
import { DOWNLOADED_LAYOUT, GATHERED_LAYOUT, type GatheringFolder, openGathering } from './download-folder.js'
import { formatIndexJson, inFixedOrder, parseIndexJson } from './index-json.js'
import { type LateBlobs, LateSink, lateMembers } from './late-sink.js'
import { checkSignal, LayoutError } from './layout-error.js'
import { INDEX_FILE, LAYOUT_FILE, LAYOUT_FILE_TEXT } from './layout-format.js'
import { LayoutStore, type LayoutStoreOptions } from './layout-store.js'

/** How a {@link LayoutArchiveSink} writes. */
export interface LayoutArchiveOptions {
  /** For messages. Default: the path, or `standard output`. */
  label?: string
  /**
   * The user's folder for caches. Blobs are gathered there, and the next run finds what one that came to no end
   * has downloaded. Default: they are gathered beside the archive, and nothing is kept.
   */
  cacheFolder?: string | undefined
  /**
   * The full name of the repository that tags belong to (`docker.io/acme/app`), unless {@link LayoutArchiveSink.imagesOf}
   * names another. When given, each tag is also noted as the full reference by which containerd and Docker load the
   * image (rule R186).
   */
  repository?: string | undefined
  /**
   * Makes more files of what the layout holds, which stand at the archive's end: a docker-archive's `manifest.json`.
   *
   * @param layout the gathered layout, to read from
   * @param entries those of index.json, in their order
   */
  addFiles?(
    layout: Source,
    entries: readonly ArchiveEntry[],
    context: Context,
  ): Promise<ReadonlyMap<string, Buffer>>
}

/** Where images are put before they are converted. */
export interface Scratch {
  /** For temporary files. */
  folder: string
  store: LayoutStore
  /** What is being copied from a source to `store`, as it comes: see {@link ArrivingSource}. */
  arriving(source: Source): Source
  /** Lets what is copied to `store` wait until somebody begins to read it as it comes; `over` is settled when nobody will. */
  awaitReader(over: Promise<unknown>): void
}

/** A root of the archive. */
export interface ArchiveEntry {
  descriptor: Descriptor
  /** The full reference (`docker.io/acme/app:1.0`); undefined for a tag of no repository, and for no tag at all. */
  reference: string | undefined
}

/**
 * Writes an OCI layout as one uncompressed tar. Blobs are gathered in a folder, in the order in which they come; the
 * archive is made of it at commit, in an order and with times and owners that are a function of the images alone (rule
 * R191): one image always gives one archive. Nothing is written before the first put.
 *
 * @example
 * await using sink = await LayoutArchiveSink.open('image.tar')
 */
export class LayoutArchiveSink implements Sink {
  readonly label: string
  readonly #target: string | Writable
  readonly #options: LayoutArchiveOptions
  readonly #gathering: GatheringFolder
  #store: LayoutStore
  readonly #late: LateBlobs = new Map()

  private constructor(
    target: string | Writable,
    options: LayoutArchiveOptions,
    gathering: GatheringFolder,
    store: LayoutStore,
  ) {
    this.label = store.label
    this.#target = target
    this.#options = options
    this.#gathering = gathering
    this.#store = store
  }

  /**
   * Prepares an archive.
   *
   * @param target the path of the archive, which appears, or is replaced, at commit; or a stream, which gets everything
   * at commit and stays open. Without a cache, blobs are gathered beside the path, or in the folder for temporary files
   * @throws LayoutError of kind `usage`, code `not-a-file`, when a folder or a device is at the path
   */
  static async open(
    target: string | Writable,
    options: LayoutArchiveOptions = {},
  ): Promise<LayoutArchiveSink> {
    const path = typeof target === 'string' ? await fileAt(target) : undefined
    const gathering = await openGathering(options.cacheFolder, path ?? join(tmpdir(), 'regctl'))
    const label = options.label ?? (typeof target === 'string' ? target : 'standard output')
    const store = await openStore(gathering, GATHERED_LAYOUT, { repository: options.repository, label })
    return new LayoutArchiveSink(path ?? target, options, gathering, store)
  }

  /**
   * The part of the archive that takes the images of one repository: tags put there are that repository's. It shares its
   * blobs with the other parts, and its commit leaves the archive open for more.
   *
   * @param repository the full name (`docker.io/acme/app`); without one, tags are tags alone
   */
  async imagesOf(repository: string | undefined): Promise<Sink> {
    return await this.#openPart(repository)
  }

  /**
   * As {@link imagesOf}, for blobs that can be read until the archive is written: they are opened then, and not gathered.
   * A blob that turns out to be another one than was said makes {@link commit} fail with a ContentError `size-mismatch` or
   * `digest-mismatch`.
   */
  async lateImagesOf(repository: string | undefined): Promise<Sink> {
    return new LateSink(await this.#openPart(repository), this.#late)
  }

  async #openPart(repository: string | undefined): Promise<LayoutStore> {
    await this.#gathering.make()
    return await openStore(this.#gathering, GATHERED_LAYOUT, { repository, label: this.label })
  }

  /** Whether the archive is a file. */
  get isFile(): boolean {
    return typeof this.#target === 'string'
  }

  /**
   * Forgets everything that was put, when {@link commit} has failed because a late blob was wrong: nobody has seen anything of
   * it. Parts that were had before are not used any more.
   */
  async startAgain(): Promise<void> {
    this.#late.clear()
    await rm(this.#gathered, { recursive: true, force: true })
    await rm(this.#scratchFile, { force: true })
    this.#store = await this.#openPart(this.#options.repository)
  }

  /**
   * What is converted before it goes into the archive is downloaded to `store`; both go when the sink is disposed.
   *
   * @param options `hashThread` is false where threads uncompress meanwhile: they take all cores
   */
  async scratch({ hashThread }: Pick<LayoutStoreOptions, 'hashThread'> = {}): Promise<Scratch> {
    await this.#gathering.make()
    const arrivals = new Arrivals()
    const options = { label: this.label, arrivals, hashThread }
    const store = await openStore(this.#gathering, DOWNLOADED_LAYOUT, options)
    const arriving = (source: Source) => new ArrivingSource(source, arrivals)
    const awaitReader = (over: Promise<unknown>) => arrivals.awaitReader(over)
    return { folder: this.#gathering.path, store, arriving, awaitReader }
  }

  async hasManifest(digest: Digest, context: Context): Promise<boolean> {
    return await this.#store.hasManifest(digest, context)
  }

  async hasBlob(descriptor: Descriptor, context: Context): Promise<boolean> {
    return await this.#store.hasBlob(descriptor, context)
  }

  async putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'> {
    await this.#gathering.make()
    return await this.#store.putBlob(blob, context)
  }

  async putManifest(manifest: RawManifest, tags: readonly string[], context: Context): Promise<void> {
    await this.#gathering.make()
    await this.#store.putManifest(manifest, tags, context)
  }

  /** What goes to a stream, where it may turn out wrong before it is all there. */
  get #scratchFile(): string {
    return join(this.#gathering.path, 'archive')
  }

  get #gathered(): string {
    return join(this.#gathering.path, GATHERED_LAYOUT)
  }

  /**
   * Writes the archive, and gives it its name once it is on the disk.
   *
   * @param ready is waited for before a file gets its name; when it rejects, nothing stays
   * @throws LayoutError `output-closed` when nobody reads the stream any more; what `addFiles` throws
   */
  async commit(context: Context, ready?: Promise<void>): Promise<void> {
    await this.#gathering.make()
    await this.#store.commit(context)
    try {
      const members = await this.#members(context)
      const scratch = this.#late.size > 0 ? this.#scratchFile : undefined
      if (typeof this.#target === 'string') await writeArchive(this.#target, members, context, ready)
      else await streamArchive(this.#target, members, scratch, context)
      this.#gathering.finish()
    } catch (error) {
      checkSignal(context)
      if (typeof this.#target === 'string')
        throw explainDiskError(error, this.#target, await this.#sizeOfBlobs())
      if (systemCodeOf(error) !== 'EPIPE') throw error
      throw new LayoutError(`${this.label} was closed before the archive was written`, {
        kind: 'failed',
        code: 'output-closed',
        hint: 'What reads it has ended: see what it says',
        cause: error,
      })
    }
  }

  /** `oci-layout`, the blobs sorted by their digests, `index.json`, and what else was asked for. */
  async #members(context: Context): Promise<ArchiveMember[]> {
    const folder = this.#gathered
    const index = inFixedOrder(parseIndexJson(await readFile(join(folder, INDEX_FILE)), INDEX_FILE))
    const entries = index.entries.map(({ descriptor, name, refName }) => ({
      descriptor,
      reference: name === refName ? undefined : name,
    }))
    const others = await this.#options.addFiles?.(this.#store, entries, context)
    const late = lateMembers(this.#late, context)
    const isLate = new Set(late.map(({ name }) => name))
    const names = (await blobNames(folder)).filter(name => !isLate.has(name))
    const gathered = await Promise.all(names.map(name => fileMember(folder, name)))
    return [
      bytesMember(LAYOUT_FILE, Buffer.from(LAYOUT_FILE_TEXT)),
      ...[...gathered, ...late].sort((a, b) => (a.name < b.name ? -1 : 1)),
      bytesMember(INDEX_FILE, formatIndexJson(index)),
      ...[...(others ?? [])].map(([name, content]) => bytesMember(name, content)),
    ]
  }

  async #sizeOfBlobs(): Promise<number> {
    const late = [...this.#late.values()].reduce((sum, { descriptor }) => sum + descriptor.size, 0)
    return late + (await sizeOfBlobs(this.#gathered))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gathering[Symbol.asyncDispose]()
  }
}

/** What was gathered can be downloaded again, so that nobody waits for the disk before the archive itself is there. */
async function openStore(
  { path, incompleteFolder }: GatheringFolder,
  layout: string,
  options: Pick<LayoutStoreOptions, 'repository' | 'label' | 'arrivals' | 'hashThread'>,
): Promise<LayoutStore> {
  return await LayoutStore.open(join(path, layout), {
    ...options,
    create: true,
    durable: false,
    incompleteFolder,
  })
}

/** Where a file is to be written: what a link leads to is replaced, not the link. */
async function fileAt(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return path
  if (found.isFile()) return await realpath(path)
  throw new LayoutError(`${path} is ${found.isDirectory() ? 'a folder' : 'no regular file'}`, {
    kind: 'usage',
    code: 'not-a-file',
    hint: found.isDirectory()
      ? 'Name a file in it, or write a folder with `--format oci`'
      : 'Standard output is written by `-`',
  })
}
