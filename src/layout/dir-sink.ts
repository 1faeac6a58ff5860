import { readdir, rename, rmdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { parseManifest } from '../content/manifest.js'
import type { BlobContent, Context, RawManifest, Sink } from '../content/store.js'
import { verifyBytes } from '../content/verify.js'
import { systemCodeOf } from '../errors.js'
import { moveFile, writeNew } from '../files/atomic-file.js'
import { explainDiskError } from '../files/disk-error.js'
import { BlobFolder, contentOf } from './blob-folder.js'
import { blobNames, sizeOfBlobs } from './blob-names.js'
import { manifestFile, ROOT_FILE, VERSION_FILE, VERSION_TEXT } from './dir-format.js'
import { GATHERED_LAYOUT, type GatheringFolder, openGathering } from './download-folder.js'
import { checkSignal, LayoutError } from './layout-error.js'
import { Staging } from './staging.js'

/**
 * Writes one image as a folder of skopeo's `dir` format. Tags are not kept: the format has no names. The image is gathered
 * elsewhere, and the folder appears, complete, at commit. Nothing is lost when the power fails then, since nothing was there:
 * the disk is not waited for.
 *
 * @example
 * await using sink = await DirSink.open('./out')
 */
export class DirSink implements Sink {
  readonly label: string
  readonly #target: string
  readonly #gathering: GatheringFolder
  readonly #blobs: BlobFolder
  /** Written at commit, when it is known which of them is the root. */
  readonly #manifests = new Map<Digest, RawManifest>()

  private constructor(target: string, gathering: GatheringFolder) {
    this.label = `dir:${target}`
    this.#target = target
    this.#gathering = gathering
    const { incompleteFolder } = gathering
    this.#blobs = new BlobFolder(this.#gathered, { incompleteFolder, durable: false })
  }

  get #gathered(): string {
    return join(this.#gathering.path, GATHERED_LAYOUT)
  }

  /**
   * Prepares the folder. Nothing is written yet.
   *
   * @param cacheFolder the user's, where the next run finds what one that came to no end has downloaded. Default: the image
   * is gathered beside the folder, and nothing is kept
   * @throws LayoutError of kind `usage`: `not-empty` when it holds something, `not-a-folder`
   */
  static async open(folder: string, cacheFolder?: string): Promise<DirSink> {
    const target = resolve(folder)
    await checkEmpty(target, folder)
    return new DirSink(folder, await openGathering(cacheFolder, target))
  }

  async hasManifest(digest: Digest): Promise<boolean> {
    return this.#manifests.has(digest)
  }

  async hasBlob({ digest, size }: Descriptor): Promise<boolean> {
    return (await this.#blobs.stat(digest)) === size
  }

  async putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'exists'> {
    checkSignal(context)
    const { descriptor } = blob
    if (await this.hasBlob(descriptor)) return 'exists'
    await this.#gathering.make()
    try {
      await this.#blobs.write(contentOf(blob, context), context.signal)
    } catch (error) {
      checkSignal(context)
      throw error
    }
    return 'copied'
  }

  async putManifest(manifest: RawManifest, _tags: readonly string[], context: Context): Promise<void> {
    checkSignal(context)
    const { digest } = manifest.descriptor
    verifyBytes(manifest.bytes, manifest.descriptor, `manifest ${digest} for ${this.label}`)
    this.#manifests.set(digest, manifest)
  }

  /** @throws LayoutError `several-images` when what was put is not one image with all that is below it */
  async commit(context: Context): Promise<void> {
    checkSignal(context)
    const [root, ...others] = this.#roots()
    if (root === undefined || others.length > 0) {
      throw new LayoutError(`${this.label} holds one image, not ${others.length + (root ? 1 : 0)}`, {
        kind: 'usage',
        code: 'several-images',
      })
    }
    try {
      await this.#write(root)
      this.#gathering.finish()
    } catch (error) {
      // Another run may have filled the folder meanwhile.
      await checkEmpty(this.#target, this.#target)
      throw explainDiskError(error, this.#target, await sizeOfBlobs(this.#gathered))
    }
  }

  async #write(root: RawManifest): Promise<void> {
    const target = resolve(this.#target)
    await using staging = await Staging.beside(target)
    await staging.make()
    const folder = staging.path
    await this.#moveBlobs(folder)
    for (const [digest, { bytes }] of this.#manifests) {
      const file = digest === root.descriptor.digest ? ROOT_FILE : manifestFile(digest)
      await writeNew(join(folder, file), bytes, { durable: false })
    }
    await writeNew(join(folder, VERSION_FILE), Buffer.from(VERSION_TEXT), { durable: false })
    // An empty folder may be there; in one that was filled meanwhile nothing is removed.
    await rmdir(target).catch(() => {})
    await rename(folder, target)
  }

  async #moveBlobs(folder: string): Promise<void> {
    for (const name of await blobNames(this.#gathered)) {
      await moveFile(join(this.#gathered, name), join(folder, basename(name)))
    }
  }

  /** The manifests that no other one names. */
  #roots(): RawManifest[] {
    const named = new Set<Digest>()
    for (const { descriptor, bytes } of this.#manifests.values()) {
      const parsed = parseManifest(bytes, descriptor.mediaType, `manifest ${descriptor.digest}`)
      if (parsed.kind === 'index') for (const child of parsed.manifests) named.add(child.digest)
    }
    return [...this.#manifests.values()].filter(({ descriptor }) => !named.has(descriptor.digest))
  }

  /** Removes what was gathered, unless it was committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gathering[Symbol.asyncDispose]()
  }
}

async function checkEmpty(target: string, shown: string): Promise<void> {
  try {
    if ((await readdir(target)).length === 0) return
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === 'ENOENT') return
    if (code !== 'ENOTDIR') throw error
    throw new LayoutError(`${shown} is a file, where a folder is wanted`, {
      kind: 'usage',
      code: 'not-a-folder',
    })
  }
  throw new LayoutError(`the folder ${shown} is not empty`, {
    kind: 'usage',
    code: 'not-empty',
    hint: 'A folder in the dir format holds one image; name a new one',
  })
}
