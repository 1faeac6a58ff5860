import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { buildImage, buildIndex } from '../../test/support/image-builder.js'
import { createContext } from '../content/context.js'
import type { Platform } from '../content/descriptor.js'
import { CONFIG_LIMIT_BYTES } from '../content/manifest.js'
import { MemoryStore } from '../content/memory-store.js'
import { formatPlatform } from '../content/platform.js'
import type { RawManifest } from '../content/store.js'
import { platformRoot } from './platform-root.js'

const context = createContext()
const AMD = { os: 'linux', architecture: 'amd64' }
const ARM64 = { os: 'linux', architecture: 'arm64', variant: 'v8' }
const ARM6 = { os: 'linux', architecture: 'arm', variant: 'v6' }
const ARM7 = { os: 'linux', architecture: 'arm', variant: 'v7' }
const ATTESTATION = { os: 'unknown', architecture: 'unknown' }

/** A store with everything of some images, and an index of them under `latest`. */
async function storeOf(platforms: readonly Platform[]) {
  const store = new MemoryStore('test')
  const entries: { manifest: RawManifest; platform: Platform }[] = []
  for (const platform of platforms) {
    // Of their own layers, so that images of the same config differ.
    const { manifest, config, layers, blobs } = await buildImage({
      platform,
      layers: [{ name: formatPlatform(platform) }],
    })
    for (const descriptor of [config, ...layers]) {
      const open = async () => Readable.from([blobs.get(descriptor.digest)])
      await store.putBlob({ descriptor, origin: store, open }, context)
    }
    await store.putManifest(manifest, [], context)
    entries.push({ manifest, platform })
  }
  const index = buildIndex(entries)
  await store.putManifest(index, ['latest'], context)
  return { store, images: entries.map(({ manifest }) => manifest), index }
}

describe('platformRoot', () => {
  it('finds the image of a platform in an index (R176)', async () => {
    const { store, images } = await storeOf([AMD, ATTESTATION, ARM64])
    const wanted = { os: 'linux', architecture: 'arm64' }
    const { root } = await platformRoot({ source: store, root: 'latest' }, wanted, context)
    expect(root).toBe(images[2]?.descriptor.digest)
  })

  it('takes an exact variant, and the next lower one where that is all there is', async () => {
    const both = await storeOf([ARM6, ARM7])
    const exact = await platformRoot({ source: both.store, root: 'latest' }, ARM7, context)
    expect(exact.root).toBe(both.images[1]?.descriptor.digest)
    const lower = await storeOf([ARM6])
    const found = await platformRoot({ source: lower.store, root: 'latest' }, ARM7, context)
    expect(found.root).toBe(lower.images[0]?.descriptor.digest)
  })

  it('looks into an index within an index', async () => {
    const { store, images, index } = await storeOf([AMD, ARM64])
    const outer = buildIndex([{ manifest: index }])
    await store.putManifest(outer, ['outer'], context)
    const { root } = await platformRoot({ source: store, root: 'outer' }, ARM64, context)
    expect(root).toBe(images[1]?.descriptor.digest)
  })

  it('lists the platforms that there are, without attestations, when none fits', async () => {
    const { store } = await storeOf([AMD, ATTESTATION, ARM7])
    const wanted = { os: 'windows', architecture: 'amd64' }
    await expect(platformRoot({ source: store, root: 'latest' }, wanted, context)).rejects.toMatchObject({
      kind: 'not-found',
      code: 'no-such-platform',
      message: 'memory:test has no image for windows/amd64',
      hint: 'It has linux/amd64, linux/arm/v7',
    })
  })

  it('holds a single image to its config', async () => {
    const { store, images } = await storeOf([AMD])
    const root = images[0]?.descriptor.digest ?? ''
    expect((await platformRoot({ source: store, root }, AMD, context)).root).toBe(root)
    await expect(platformRoot({ source: store, root }, ARM64, context)).rejects.toMatchObject({
      code: 'no-such-platform',
      hint: 'It has linux/amd64',
    })
  })

  it('asks a source that would have to make its manifest for the config alone', async () => {
    const { blobs, config } = await buildImage({ platform: AMD })
    const source = Object.assign(new MemoryStore('made'), {
      openContents: async () => ({ config: blobs.get(config.digest) ?? Buffer.alloc(0), layers: [] }),
    })
    expect(await platformRoot({ source, root: 'image' }, AMD, context)).toEqual({ source, root: 'image' })
    await expect(platformRoot({ source, root: 'image' }, ARM64, context)).rejects.toMatchObject({
      code: 'no-such-platform',
      hint: 'It has linux/amd64',
    })
  })

  it('R205, R236: believes no config that is another than its manifest names, or too large to be one', async () => {
    const { manifest, blobs, config } = await buildImage({ platform: AMD })
    const bytes = blobs.get(config.digest) ?? Buffer.alloc(0)
    const other = Buffer.from(bytes.toString().replace('amd64', 'arm64'))
    for (const [content, code] of [
      [other, 'digest-mismatch'],
      [Buffer.alloc(CONFIG_LIMIT_BYTES + 1, 32), 'too-large'],
    ] as const) {
      const source = Object.assign(new MemoryStore('lying'), {
        getManifest: async () => manifest,
        openBlob: async () => Readable.from([content]),
      })
      const chosen = platformRoot({ source, root: manifest.descriptor.digest }, ARM64, context)
      await expect(chosen).rejects.toMatchObject({ kind: 'corrupt', code })
    }
  })
})
