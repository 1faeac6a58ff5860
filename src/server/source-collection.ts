import type { Readable } from 'node:stream'
import { ContentError } from '../content/content-error.js'
import type { Descriptor } from '../content/descriptor.js'
import { type Digest, isDigest } from '../content/digest.js'
import { pageOf } from '../content/memory-store.js'
import { referrerOf } from '../content/referrer.js'
import type { Context, ListOptions, RawManifest, RepositoryCollection, Store } from '../content/store.js'
import { RegctlError } from '../errors.js'
import { type Contents, readContents, type ServedImage } from './source-contents.js'

export type { ServedImage } from './source-contents.js'

/** Images of local files, shown as the repositories of a registry that can only be read. */
export class SourceCollection implements RepositoryCollection {
  readonly #stores = new Map<string, SourceStore>()

  constructor(images: readonly ServedImage[]) {
    for (const name of new Set(images.map(image => image.repository))) {
      this.#stores.set(
        name,
        new SourceStore(
          name,
          images.filter(image => image.repository === name),
        ),
      )
    }
  }

  async find(name: string): Promise<Store | undefined> {
    return this.#stores.get(name)
  }

  async create(name: string): Promise<Store> {
    return this.#stores.get(name) ?? refuse(name)
  }

  async *listNames(options: ListOptions = {}): AsyncIterable<string> {
    yield* pageOf(this.#stores.keys(), options)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

class SourceStore implements Store {
  readonly label: string
  readonly #images: readonly ServedImage[]
  #contents: Promise<Contents> | undefined

  constructor(repository: string, images: readonly ServedImage[]) {
    this.label = repository
    this.#images = images
  }

  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    const manifest = await this.#find(tagOrDigest, context)
    if (manifest === undefined) {
      throw new ContentError(`${this.label} has no manifest ${tagOrDigest}`, {
        kind: 'not-found',
        code: 'missing-manifest',
      })
    }
    return manifest
  }

  async openBlob(descriptor: Descriptor, context: Context, from = 0): Promise<Readable> {
    const blob = (await this.#load(context)).blobs.get(descriptor.digest)
    if (blob === undefined) {
      throw new ContentError(`${this.label} has no blob ${descriptor.digest}`, {
        kind: 'not-found',
        code: 'missing-blob',
      })
    }
    return blob.source.openBlob(blob.descriptor, context, from)
  }

  async listReferrers(subject: Digest, context: Context): Promise<Descriptor[]> {
    const { manifests } = await this.#load(context)
    const found = new Map<Digest, Descriptor>()
    for (const manifest of manifests.values()) {
      const referrer = referrerOf(manifest)
      if (referrer?.subject === subject) found.set(referrer.descriptor.digest, referrer.descriptor)
    }
    return [...found.values()]
  }

  async statManifest(tagOrDigest: string, context: Context): Promise<Descriptor | undefined> {
    return (await this.#find(tagOrDigest, context))?.descriptor
  }

  /** A manifest may name blobs that its file lacks, which only shows when one is opened. */
  async statBlob(digest: Digest, context: Context): Promise<number | undefined> {
    const blob = (await this.#load(context)).blobs.get(digest)
    if (blob === undefined) return undefined
    try {
      const stream = await blob.source.openBlob(blob.descriptor, context)
      stream.destroy()
      return blob.descriptor.size
    } catch (error) {
      if (error instanceof RegctlError && error.kind === 'not-found') return undefined
      throw error
    }
  }

  async *listTags(context: Context, options: ListOptions = {}): AsyncIterable<string> {
    yield* pageOf((await this.#load(context)).tags.keys(), options)
  }

  async hasManifest(digest: Digest, context: Context): Promise<boolean> {
    return (await this.#load(context)).manifests.has(digest)
  }

  async hasBlob(descriptor: Descriptor, context: Context): Promise<boolean> {
    return (await this.statBlob(descriptor.digest, context)) === descriptor.size
  }

  async putBlob(): Promise<never> {
    return refuse(this.label)
  }

  async putManifest(): Promise<never> {
    return refuse(this.label)
  }

  async deleteTag(): Promise<never> {
    return refuse(this.label)
  }

  async deleteManifest(): Promise<never> {
    return refuse(this.label)
  }

  async deleteBlob(): Promise<never> {
    return refuse(this.label)
  }

  async commit(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  async #find(tagOrDigest: string, context: Context): Promise<RawManifest | undefined> {
    const { manifests, tags } = await this.#load(context)
    const digest = isDigest(tagOrDigest) ? tagOrDigest : tags.get(tagOrDigest)
    return digest === undefined ? undefined : manifests.get(digest)
  }

  /** Walks the images with the first request. A failed walk is done again with the next. */
  #load(context: Context): Promise<Contents> {
    this.#contents ??= readContents(this.#images, context).catch((error: unknown) => {
      this.#contents = undefined
      throw error
    })
    return this.#contents
  }
}

function refuse(name: string): never {
  throw new ContentError(`${name} is served from a local file and can't be changed`, {
    kind: 'failed',
    code: 'read-only',
  })
}
