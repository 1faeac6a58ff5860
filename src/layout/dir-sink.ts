import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { parseManifest } from '../content/manifest.js'
import type { BlobContent, Context, RawManifest, Sink } from '../content/store.js'
import { verifyBytes } from '../content/verify.js'
import { openRegular, replaceFile, syncFolder, uniqueName, writeVerified } from './atomic-file.js'
import { blobFile, manifestFile, ROOT_FILE, VERSION_FILE, VERSION_TEXT } from './dir-format.js'
import { checkSignal, LayoutError } from './layout-error.js'

/**
 * Writes one image into a folder of skopeo's `dir` format. Tags are not kept: the format has no names. The image is
 * complete, and seen as one, after commit.
 *
 * @example
 * await using sink = await DirSink.open('./out')
 */
export class DirSink implements Sink {
  readonly label: string
  readonly #folder: string
  /** Written at commit, when it is known which of them is the root. */
  readonly #manifests = new Map<Digest, RawManifest>()

  private constructor(folder: string) {
    this.label = `dir:${folder}`
    this.#folder = folder
  }

  /** Makes the folder. @throws LayoutError `not-empty`, of kind `usage`, when it holds something */
  static async open(folder: string): Promise<DirSink> {
    await mkdir(folder, { recursive: true })
    if ((await readdir(folder)).length > 0) {
      throw new LayoutError(`the folder ${folder} is not empty`, {
        kind: 'usage',
        code: 'not-empty',
        hint: 'A folder in the dir format holds one image; name a new one',
      })
    }
    return new DirSink(folder)
  }

  async hasManifest(digest: Digest): Promise<boolean> {
    return this.#manifests.has(digest)
  }

  async hasBlob({ digest, size }: Descriptor): Promise<boolean> {
    const file = await openRegular(join(this.#folder, blobFile(digest)))
    try {
      return (await file?.stat())?.size === size
    } finally {
      await file?.close()
    }
  }

  async putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'exists'> {
    checkSignal(context)
    const { descriptor } = blob
    if (await this.hasBlob(descriptor)) return 'exists'
    const path = join(this.#folder, blobFile(descriptor.digest))
    const incomplete = `${path}.${uniqueName()}`
    try {
      const what = `blob ${descriptor.digest} for ${this.label}`
      await writeVerified(incomplete, () => blob.open(), descriptor, what, context.signal)
      await rename(incomplete, path)
    } catch (error) {
      await rm(incomplete, { force: true })
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
    for (const [digest, { bytes }] of this.#manifests) {
      const file = digest === root.descriptor.digest ? ROOT_FILE : manifestFile(digest)
      await replaceFile(join(this.#folder, file), bytes)
    }
    await replaceFile(join(this.#folder, VERSION_FILE), Buffer.from(VERSION_TEXT))
    await syncFolder(this.#folder)
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

  /** Blobs that were put stay; without a `version` the folder is no image yet. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
