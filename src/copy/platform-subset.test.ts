import { describe, expect, it } from 'vitest'
import { manifestOf, putImage } from '../../test/support/copy-fixtures.js'
import { createContext } from '../content/context.js'
import type { Platform } from '../content/descriptor.js'
import { MediaType } from '../content/media-types.js'
import { MemoryStore } from '../content/memory-store.js'
import type { RawManifest } from '../content/store.js'
import { platformSubset } from './platform-subset.js'

const context = createContext()
const AMD = { os: 'linux', architecture: 'amd64' }
const ARM = { os: 'linux', architecture: 'arm64' }
const S390 = { os: 'linux', architecture: 's390x' }

function entryOf({ descriptor }: RawManifest, platform?: Platform, annotations?: Record<string, string>) {
  return { ...descriptor, ...(platform && { platform }), ...(annotations && { annotations }) }
}

async function putIndex(store: MemoryStore, manifests: object[], tag: string, fields = {}) {
  const index = manifestOf({ manifests, ...fields }, MediaType.ociIndex)
  await store.putManifest(index, [tag], context)
  return index
}

function attestationOf(manifest: RawManifest, subject: RawManifest) {
  return entryOf(
    manifest,
    { os: 'unknown', architecture: 'unknown' },
    {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': subject.descriptor.digest,
    },
  )
}

async function attestedIndex() {
  const store = new MemoryStore('test')
  const [amd, arm, s390] = [
    await putImage(store, ['amd']),
    await putImage(store, ['arm']),
    await putImage(store, ['s390']),
  ]
  const [ofAmd, ofS390] = [await putImage(store, ['about amd']), await putImage(store, ['about s390'])]
  const entries = [entryOf(amd, AMD), entryOf(arm, ARM), entryOf(s390, S390)]
  const attestations = [attestationOf(ofAmd, amd), attestationOf(ofS390, s390)]
  const index = await putIndex(store, [...entries, ...attestations], '1', { annotations: { kept: 'yes' } })
  return { store, index, entries, attestations, amd }
}

describe('platformSubset', () => {
  it('makes an index of the images and their attestations, which names the one that it is of', async () => {
    const { store, index, entries, attestations } = await attestedIndex()
    const subset = await platformSubset({ source: store, root: '1' }, [ARM, AMD], context)
    expect(subset.made).toEqual({ digest: subset.root, from: index.descriptor.digest })
    const { bytes } = await subset.source.getManifest(subset.root, context)
    expect(JSON.parse(`${Buffer.from(bytes)}`)).toEqual({
      schemaVersion: 2,
      mediaType: MediaType.ociIndex,
      manifests: [entries[0], entries[1], attestations[0]],
      annotations: { kept: 'yes', 'regctl.source.digest': index.descriptor.digest },
    })
  })

  it('leaves the root as it is where nothing is to be dropped, and where it is a single image', async () => {
    const { store, amd } = await attestedIndex()
    const whole = { source: store, root: '1' }
    expect(await platformSubset(whole, [AMD, ARM, S390], context)).toEqual(whole)
    const single = { source: store, root: amd.descriptor.digest }
    expect(await platformSubset(single, [AMD], context)).toEqual(single)
  })

  it('keeps what was chosen of an index within the index', async () => {
    const { store, index, entries, attestations } = await attestedIndex()
    await putIndex(store, [entryOf(index)], 'outer')
    const { source, root } = await platformSubset({ source: store, root: 'outer' }, [AMD, ARM], context)
    const outer = JSON.parse(`${Buffer.from((await source.getManifest(root, context)).bytes)}`)
    expect(outer.manifests).toHaveLength(1)
    const inner = await source.getManifest(outer.manifests[0].digest, context)
    expect(JSON.parse(`${Buffer.from(inner.bytes)}`).manifests).toEqual([
      entries[0],
      entries[1],
      attestations[0],
    ])
    expect(outer.manifests[0].size).toBe(inner.bytes.length)
  })

  it('refuses a platform that is not there, and says which are', async () => {
    const { store } = await attestedIndex()
    const wanted = [AMD, { os: 'windows', architecture: 'amd64' }]
    await expect(platformSubset({ source: store, root: '1' }, wanted, context)).rejects.toMatchObject({
      code: 'no-such-platform',
      hint: 'It has linux/amd64, linux/arm64, linux/s390x',
    })
  })
})
