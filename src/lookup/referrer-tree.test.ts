import { describe, expect, it } from 'vitest'
import { buildImage, buildIndex } from '../../test/support/image-builder.js'
import { createContext } from '../content/context.js'
import { digestTags } from '../content/digest-tags.js'
import type { CopyEvent } from '../content/events.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import { flattenReferrers, selectReferrers } from './referrer-selection.js'
import { type ReferrerNode, readReferrerTree } from './referrer-tree.js'

const context = createContext()

function depthOf(nodes: readonly ReferrerNode[]): number {
  return nodes.length === 0 ? 0 : 1 + Math.max(...nodes.map(node => depthOf(node.referrers)))
}

describe('the tree of referrers', () => {
  it('ends with a warning where it is too deep (R85, R232)', async () => {
    const store = new MemoryStore('deep')
    const { manifest } = await buildImage()
    await store.putManifest(manifest, ['1'], context)
    let subject = manifest.descriptor
    for (let level = 0; level < 12; level++) {
      const referrer = await buildImage({ subject, artifactType: `application/x.${level}` })
      await store.putManifest(referrer.manifest, [], context)
      subject = referrer.manifest.descriptor
    }
    const events: CopyEvent[] = []
    const emit = (event: CopyEvent) => events.push(event)
    const tree = await readReferrerTree({ source: store, root: '1' }, createContext({ emit }))
    expect(depthOf(tree.referrers)).toBe(8)
    const message = 'what is nested deeper than 8 levels is not looked at'
    expect(events).toEqual([{ type: 'warning', message }])
  })

  it('needs none of the images that an index names, only those that say something', async () => {
    const store = new MemoryStore('sparse')
    const image = await buildImage()
    const index = buildIndex([
      { manifest: image.manifest, platform: { os: 'linux', architecture: 'amd64' } },
      {
        manifest: (await buildImage({ annotations: { gone: 'yes' } })).manifest,
        annotations: {
          'vnd.docker.reference.type': 'attestation-manifest',
          'vnd.docker.reference.digest': image.manifest.descriptor.digest,
        },
      },
    ])
    await store.putManifest(index, ['1'], context)
    const tree = await readReferrerTree({ source: store, root: '1' }, context)
    expect(tree.children).toMatchObject([
      { referrers: [{ name: 'attestation, missing', via: 'index', referrers: [] }] },
    ])
  })

  it('shows an attestation once that is in the index and has a subject as well', async () => {
    const store = new MemoryStore('both')
    const image = await buildImage()
    const subject = image.manifest.descriptor
    const attestation = await buildImage({ subject, artifactType: 'application/vnd.in-toto+json' })
    const about = {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': subject.digest,
    }
    const index = buildIndex([
      { manifest: image.manifest },
      { manifest: attestation.manifest, annotations: about },
    ])
    for (const { manifest } of [image, attestation]) await store.putManifest(manifest, [], context)
    await store.putManifest(index, ['1'], context)
    const tree = await readReferrerTree({ source: store, root: '1' }, context)
    expect(tree.children.map(child => child.referrers.map(({ via }) => via))).toEqual([['index']])
  })

  it('takes no manifest for its own signature, whatever a tag leads to (R79)', async () => {
    const store = new MemoryStore('gitlab')
    const { manifest } = await buildImage()
    const tags = digestTags(manifest.descriptor.digest)
    await store.putManifest(manifest, ['1', ...tags], context)
    const tree = await readReferrerTree({ source: store, root: '1' }, context)
    expect(tree.referrers).toEqual([])
  })

  it('asks a referrer what it is where the list has the type of its empty config instead', async () => {
    const store = new MemoryStore('cosign without the API')
    const image = await buildImage()
    const signature = await buildImage({
      subject: image.manifest.descriptor,
      artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      annotations: { 'dev.sigstore.bundle.predicateType': 'https://sigstore.dev/cosign/sign/v1' },
    })
    for (const { manifest } of [image, signature]) await store.putManifest(manifest, ['1'], context)
    const listed = { ...signature.manifest.descriptor, artifactType: MediaType.ociEmpty }
    store.listReferrers = async subject => (subject === image.manifest.descriptor.digest ? [listed] : [])
    const root = image.manifest.descriptor.digest
    const tree = await readReferrerTree({ source: store, root }, context)
    expect(tree.referrers).toMatchObject([{ name: 'cosign signature' }])
    const types = ['application/vnd.dev.sigstore.bundle.v0.3+json']
    expect(flattenReferrers(selectReferrers(tree, { types }), types)).toHaveLength(1)
  })

  it('is cut to types with their ancestors, and flattened without them', async () => {
    const store = new MemoryStore('types')
    const image = await buildImage()
    const sbom = await buildImage({
      subject: image.manifest.descriptor,
      artifactType: 'application/spdx+json',
    })
    const other = await buildImage({
      subject: image.manifest.descriptor,
      artifactType: 'application/x.other',
    })
    const seal = await buildImage({ subject: sbom.manifest.descriptor, artifactType: 'application/x.seal' })
    for (const { manifest } of [sbom, other, seal]) await store.putManifest(manifest, [], context)
    await store.putManifest(image.manifest, ['1'], context)
    const tree = await readReferrerTree({ source: store, root: '1' }, context)
    expect(flattenReferrers(tree)).toHaveLength(3)
    const types = ['application/x.seal']
    expect(selectReferrers(tree, { types }).referrers).toMatchObject([
      { name: 'SPDX SBOM', referrers: [{ name: 'application/x.seal' }] },
    ])
    const flat = flattenReferrers(selectReferrers(tree, { types }), types)
    expect(flat).toMatchObject([{ subject: sbom.manifest.descriptor.digest }])
  })
})
