import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { type BuiltImage, buildImage, buildIndex } from '../../test/support/image-builder.js'
import { createContext } from '../content/context.js'
import type { Digest } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { MemoryStore } from '../content/memory-store.js'
import type { RawManifest } from '../content/store.js'
import { presentRoot } from './present-root.js'

const context = createContext()
const PLATFORMS = ['amd64', 'arm64', 's390x'].map(architecture => ({ os: 'linux', architecture }))

/** A store of three platforms' images and their index, of which nothing is missing yet. */
async function storeOf() {
  const images = await Promise.all(
    PLATFORMS.map(platform => buildImage({ platform, layers: [{ name: platform.architecture }] })),
  )
  const index = buildIndex(
    images.map(({ manifest }, position) => ({
      manifest,
      ...(PLATFORMS[position] && { platform: PLATFORMS[position] }),
    })),
    { annotations: { kept: 'yes' } },
  )
  return { images, index }
}

/** A source that lacks some of what its manifests name. */
class SparseStore extends MemoryStore {
  readonly absent = new Set<string>()
  readonly #raw = new Map<string, RawManifest>()
  readonly #blobs = new Map<Digest, Buffer>()

  constructor(images: readonly BuiltImage[], indexes: readonly RawManifest[]) {
    super('sparse')
    for (const { manifest, blobs } of images) {
      this.#raw.set(manifest.descriptor.digest, manifest)
      for (const [digest, bytes] of blobs) this.#blobs.set(digest, bytes)
    }
    for (const index of indexes) this.#raw.set(index.descriptor.digest, index)
  }

  override async getManifest(digest: string): Promise<RawManifest> {
    const raw = this.absent.has(digest) ? undefined : this.#raw.get(digest)
    return raw ?? (await super.getManifest(digest, context))
  }

  override async openBlob(...[descriptor, within]: Parameters<MemoryStore['openBlob']>) {
    const bytes = this.absent.has(descriptor.digest) ? undefined : this.#blobs.get(descriptor.digest)
    if (bytes === undefined) return await super.openBlob(descriptor, within)
    return Readable.from([bytes])
  }
}

function watch() {
  const warnings: string[] = []
  const emit = (event: CopyEvent) => {
    if (event.type === 'warning') warnings.push(event.message)
  }
  return { warnings, watching: createContext({ emit }) }
}

describe('presentRoot', () => {
  it('gives a whole index back as it is', async () => {
    const { images, index } = await storeOf()
    const source = new SparseStore(images, [index])
    const { warnings, watching } = watch()
    const root = { source, root: index.descriptor.digest }
    expect(await presentRoot(root, watching)).toEqual(root)
    expect(warnings).toEqual([])
  })

  it('leaves a single image to the copy, whatever it lacks', async () => {
    const { images } = await storeOf()
    const source = new SparseStore(images, [])
    const root = { source, root: images[0]?.manifest.descriptor.digest ?? '' }
    for (const digest of images[0]?.blobs.keys() ?? []) source.absent.add(digest)
    expect(await presentRoot(root, context)).toEqual(root)
  })

  it.each(['manifest', 'config', 'layer'])(
    'leaves out an image whose %s is missing, with a warning (R185)',
    async what => {
      const { images, index } = await storeOf()
      const source = new SparseStore(images, [index])
      const arm = images[1] as BuiltImage
      const missing = { manifest: arm.manifest.descriptor, config: arm.config, layer: arm.layers[0] }[what]
      source.absent.add(missing?.digest ?? '')
      const { warnings, watching } = watch()
      const { source: present, root } = await presentRoot({ source, root: index.descriptor.digest }, watching)
      expect(root).not.toBe(index.descriptor.digest)
      expect(warnings).toEqual([
        `the index names linux/arm64 ${arm.manifest.descriptor.digest}, of which not everything is in memory:sparse: it is left out, and the index gets another digest`,
      ])
      const made = JSON.parse(Buffer.from((await present.getManifest(root, context)).bytes).toString())
      const document = JSON.parse(Buffer.from(index.bytes).toString())
      expect(made).toEqual({ ...document, manifests: [document.manifests[0], document.manifests[2]] })
    },
  )

  it('refuses what is not whole with strict', async () => {
    const { images, index } = await storeOf()
    const source = new SparseStore(images, [index])
    source.absent.add(images[2]?.config.digest ?? '')
    const reading = presentRoot({ source, root: index.descriptor.digest }, context, { strict: true })
    await expect(reading).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'missing-blob',
      message: expect.stringMatching(/^the index names linux\/s390x sha256:/),
    })
  })

  it('fails when nothing of the index is there', async () => {
    const { images, index } = await storeOf()
    const source = new SparseStore(images, [index])
    for (const { manifest } of images) source.absent.add(manifest.descriptor.digest)
    const reading = presentRoot({ source, root: index.descriptor.digest }, context)
    await expect(reading).rejects.toThrow(`has no manifest ${images[0]?.manifest.descriptor.digest}`)
  })

  it('makes the indexes above smaller, too', async () => {
    const { images, index } = await storeOf()
    const outer = buildIndex([{ manifest: index }])
    const source = new SparseStore(images, [index, outer])
    source.absent.add(images[0]?.manifest.descriptor.digest ?? '')
    const { source: present, root } = await presentRoot({ source, root: outer.descriptor.digest }, context)
    const madeOuter = JSON.parse(Buffer.from((await present.getManifest(root, context)).bytes).toString())
    const child = madeOuter.manifests[0]
    expect(child.digest).not.toBe(index.descriptor.digest)
    const made = await present.getManifest(child.digest, context)
    expect(made.descriptor).toMatchObject({ digest: child.digest, size: child.size })
    expect(JSON.parse(Buffer.from(made.bytes).toString()).manifests).toHaveLength(2)
  })

  it('passes other errors on', async () => {
    const { images, index } = await storeOf()
    const source = new SparseStore(images, [index])
    const text = new Error('the disk is broken')
    source.openBlob = async () => Promise.reject(text)
    await expect(presentRoot({ source, root: index.descriptor.digest }, context)).rejects.toBe(text)
  })
})
