import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { BlobContent, Context, RawManifest, Sink, Source } from '../content/store.js'
import { TarWriter } from '../tar/tar-writer.js'
import { createExclusive, syncFolder, uniqueName } from './atomic-file.js'
import { formatIndexJson, inFixedOrder, parseIndexJson } from './index-json.js'
import { checkSignal } from './layout-error.js'
import { INDEX_FILE, LAYOUT_FILE, LAYOUT_FILE_TEXT } from './layout-format.js'
import { LayoutStore } from './layout-store.js'

/** How a {@link LayoutArchiveSink} writes. */
export interface LayoutArchiveOptions {
  /** For messages. Default: the path, or `standard output`. */
  label?: string
  /**
   * The full name of the repository that the tags belong to (`docker.io/acme/app`). When given, each tag is also noted as
   * the full reference by which containerd and Docker load the image (rule R186).
   */
  repository?: string
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

/** A root of the archive. */
export interface ArchiveEntry {
  descriptor: Descriptor
  /** Undefined for one that is known by its digest alone. */
  tag: string | undefined
}

/**
 * Writes an OCI layout as one uncompressed tar. Blobs are gathered in a folder, in the order in which they come; the
 * archive is made of it at commit, in an order and with times and owners that are a function of the images alone (rule
 * R191): one image always gives one archive.
 *
 * @example
 * await using sink = await LayoutArchiveSink.open('image.tar')
 */
export class LayoutArchiveSink implements Sink {
  readonly label: string
  readonly #target: string | Writable
  readonly #options: LayoutArchiveOptions
  readonly #folder: string
  readonly #store: LayoutStore
  /** The file that is being written, until it has its name. */
  #incomplete: string | undefined

  private constructor(
    target: string | Writable,
    options: LayoutArchiveOptions,
    folder: string,
    store: LayoutStore,
  ) {
    this.label = options.label ?? (typeof target === 'string' ? target : 'standard output')
    this.#target = target
    this.#options = options
    this.#folder = folder
    this.#store = store
  }

  /**
   * Prepares an archive.
   *
   * @param target the path of the archive, which appears, or is replaced, at commit; or a stream, which gets everything
   * at commit and stays open. With a path, blobs are gathered beside it, else in the folder for temporary files
   */
  static async open(
    target: string | Writable,
    options: LayoutArchiveOptions = {},
  ): Promise<LayoutArchiveSink> {
    let prefix = join(tmpdir(), 'regctl-')
    if (typeof target === 'string') {
      await mkdir(dirname(target), { recursive: true })
      prefix = join(dirname(target), `.${basename(target)}-`)
    }
    const folder = await mkdtemp(prefix)
    const store = await LayoutStore.open(folder, { create: true })
    return new LayoutArchiveSink(target, options, folder, store)
  }

  async hasManifest(digest: Digest, context: Context): Promise<boolean> {
    return await this.#store.hasManifest(digest, context)
  }

  async hasBlob(descriptor: Descriptor, context: Context): Promise<boolean> {
    return await this.#store.hasBlob(descriptor, context)
  }

  async putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'> {
    return await this.#store.putBlob(blob, context)
  }

  async putManifest(manifest: RawManifest, tags: readonly string[], context: Context): Promise<void> {
    await this.#store.putManifest(manifest, tags, context)
  }

  /** Writes the archive, and gives it its name once it is on the disk. */
  async commit(context: Context): Promise<void> {
    await this.#store.commit(context)
    try {
      if (typeof this.#target === 'string') await this.#writeFile(this.#target, context)
      else await this.#write(this.#target, context)
    } catch (error) {
      checkSignal(context)
      throw error
    }
  }

  async #writeFile(target: string, context: Context): Promise<void> {
    const incomplete = join(dirname(target), `.${basename(target)}-${uniqueName()}`)
    this.#incomplete = incomplete
    const file = await createExclusive(incomplete)
    // The stream closes the file, once its bytes are on the disk.
    const output = file.createWriteStream({ flush: true })
    try {
      await this.#write(output, context)
      await finished(output.end())
    } finally {
      output.destroy()
    }
    await rename(incomplete, target)
    this.#incomplete = undefined
    await syncFolder(dirname(target))
  }

  /** `oci-layout`, the blobs sorted by their digests, `index.json`, and what else was asked for. */
  async #write(output: Writable, context: Context): Promise<void> {
    const index = parseIndexJson(await readFile(join(this.#folder, INDEX_FILE)), INDEX_FILE)
    const tar = new TarWriter(output)
    await tar.addFile(LAYOUT_FILE, LAYOUT_FILE_TEXT.length, Buffer.from(LAYOUT_FILE_TEXT))
    for (const name of await this.#blobNames()) {
      const path = join(this.#folder, name)
      await tar.addFile(name, (await stat(path)).size, createReadStream(path, { signal: context.signal }))
    }
    const ordered = inFixedOrder(index, this.#options.repository)
    const bytes = formatIndexJson(ordered)
    await tar.addFile(INDEX_FILE, bytes.length, bytes)
    const entries = ordered.entries.map(({ descriptor, refName }) => ({ descriptor, tag: refName }))
    const others = await this.#options.addFiles?.(this.#store, entries, context)
    for (const [name, content] of others ?? []) await tar.addFile(name, content.length, content)
    await tar.finish()
  }

  async #blobNames(): Promise<string[]> {
    const folders = ['sha256', 'sha512'].map(algorithm => `blobs/${algorithm}`)
    const names = await Promise.all(
      folders.map(async folder => {
        // There is no folder where nothing was put.
        const hex = await readdir(join(this.#folder, folder)).catch(() => [])
        return hex.sort().map(name => `${folder}/${name}`)
      }),
    )
    return names.flat()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]()
    if (this.#incomplete !== undefined) await rm(this.#incomplete, { force: true })
    await rm(this.#folder, { recursive: true, force: true })
  }
}
