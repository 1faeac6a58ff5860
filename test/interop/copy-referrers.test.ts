import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContext } from '../../src/content/context.js'
import type { Descriptor } from '../../src/content/descriptor.js'
import type { Digest } from '../../src/content/digest.js'
import { digestTags } from '../../src/content/digest-tags.js'
import type { RawManifest } from '../../src/content/store.js'
import { anonymous } from '../../src/credentials/credential-store.js'
import { LayoutStore } from '../../src/layout/layout-store.js'
import { RegistryClient } from '../../src/registry/client.js'
import { startRegistry, type TestRegistry } from '../e2e/test-registry.js'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { type BuiltImage, buildImage, buildIndex, writeLayout } from '../support/image-builder.js'
import { imagePath, missingImages } from '../support/images.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'

const PLATFORMS = ['amd64', 'arm64'].map(architecture => ({ os: 'linux', architecture }))

/**
 * What refers to an image has to arrive wherever it goes: the embedded registry has lists of referrers, docker-registry
 * has none and needs the referrers tag (rules R76 to R83), a layout has neither.
 */
describe.skipIf(missingTool('docker-registry'))('regctl copy --referrers', () => {
  let folder: TemporaryFolder
  let withLists: TestRegistry
  let without: DockerRegistry
  const client = new RegistryClient({ credentials: anonymous })
  const context = createContext()
  const at = (name: string) => join(folder.path, name)

  /** What refers to a manifest in a repository or layout, sorted. */
  async function referrersIn(place: string, subject: Digest): Promise<Digest[]> {
    const digests = (list: readonly Descriptor[]) => list.map(({ digest }) => digest).sort()
    if (place.startsWith('oci:')) {
      await using store = await LayoutStore.open(place.slice('oci:'.length))
      return digests(await store.listReferrers(subject, context))
    }
    const [host = '', name = ''] = place.split('/')
    return digests(await client.repository(host, name).listReferrers(subject, context))
  }

  beforeAll(async () => {
    folder = await temporaryFolder()
    withLists = await startRegistry()
    without = await startDockerRegistry()
  })

  afterAll(async () => {
    await client[Symbol.asyncDispose]()
    await without[Symbol.asyncDispose]()
    await withLists[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('loses nothing on a way round: layout, registry without lists, with lists, without, layout', async () => {
    const images = await Promise.all(PLATFORMS.map(platform => buildImage({ platform })))
    const entries = images.map(({ manifest }, position) => ({
      manifest,
      platform: PLATFORMS[position] ?? { os: '', architecture: '' },
    }))
    const index = buildIndex(entries)
    const refer = async (subject: RawManifest, name: string): Promise<BuiltImage> =>
      await buildImage({
        layers: [{ name }],
        subject: subject.descriptor,
        artifactType: 'application/x.test',
      })
    const child = images[1]?.manifest ?? index
    const [ofIndex, another, ofChild] = [
      await refer(index, 'signature'),
      await refer(index, 'sbom'),
      await refer(child, 'signature of arm64'),
    ]
    const [ofSignature, deeper] = [await refer(ofIndex.manifest, 'attestation'), await buildImage()]
    const [tag = ''] = digestTags(ofSignature.manifest.descriptor.digest)
    const artifacts = [ofIndex, another, ofChild, ofSignature]
    const blobs = new Map([...images, ...artifacts, deeper].flatMap(image => [...image.blobs]))
    await writeLayout(
      at('source'),
      [
        { manifest: index, tag: '1' },
        ...artifacts.map(({ manifest }) => ({ manifest })),
        { manifest: deeper.manifest, tag },
      ],
      blobs,
      images.map(({ manifest }) => manifest),
    )
    const places = [
      `oci:${at('source')}`,
      `${without.host}/first`,
      `${withLists.host}/second`,
      `${without.host}/third`,
      `oci:${at('target')}`,
    ]
    for (const [position, place] of places.slice(1).entries()) {
      const copied = await regctl('copy', `${places[position]}:1`, `${place}:1`, '--referrers', '--json')
      expect({ place, code: copied.code, stderr: copied.stderr }).toEqual({ place, code: 0, stderr: '' })
      expect(schemaErrors('copy', copied.stdout)).toEqual([])
      expect(JSON.parse(copied.stdout)).toMatchObject({ targets: [{ referrers: 5 }] })
      const digestOf = ({ manifest }: BuiltImage) => manifest.descriptor.digest
      expect(await referrersIn(place, index.descriptor.digest)).toEqual(
        [ofIndex, another].map(digestOf).sort(),
      )
      expect(await referrersIn(place, child.descriptor.digest)).toEqual([digestOf(ofChild)])
      expect(await referrersIn(place, digestOf(ofIndex))).toEqual([digestOf(ofSignature)])
      const found = await regctl('digest', `${place}:${tag}`)
      expect(found.stdout).toBe(`${digestOf(deeper)}\n`)
    }
    // The tag for a list is not copied to where lists are kept by themselves.
    const tags = (await regctl('tags', `${withLists.host}/second`)).stdout.trim().split('\n')
    expect(tags.sort()).toEqual(['1', tag].sort())
  })

  it('says what of the whole index does not go with some of its platforms', async () => {
    const flags = ['--referrers', '--platform', 'linux/arm64', '--platform', 'linux/amd64']
    const whole = await regctl('copy', `oci:${at('source')}:1`, `${withLists.host}/part:1`, ...flags)
    // Both of its platforms: nothing is dropped.
    expect(whole).toMatchObject({ code: 0, stderr: '' })
    expect(whole.stdout).toContain('With 5 referrers\n')
    const images = await Promise.all(PLATFORMS.map(platform => buildImage({ platform })))
    const extra = await buildImage({ platform: { os: 'linux', architecture: 's390x' } })
    const index = buildIndex([
      ...images.map(({ manifest }, position) => ({
        manifest,
        platform: PLATFORMS[position] ?? { os: '', architecture: '' },
      })),
      { manifest: extra.manifest, platform: { os: 'linux', architecture: 's390x' } },
    ])
    const signature = await buildImage({ subject: index.descriptor, artifactType: 'application/x.test' })
    await writeLayout(
      at('three'),
      [{ manifest: index, tag: '1' }, { manifest: signature.manifest }],
      new Map([...images, extra, signature].flatMap(image => [...image.blobs])),
      [...images, extra].map(({ manifest }) => manifest),
    )
    const part = await regctl('copy', `oci:${at('three')}:1`, `${withLists.host}/part:2`, ...flags)
    expect(part).toMatchObject({
      code: 0,
      stderr: `warning: what refers to the whole index ${index.descriptor.digest} is left out (1 referrer): it says nothing of the new one\n`,
    })
  })

  it('writes nothing the second time, with and without lists', async () => {
    const writesOf = async () => [
      ...withLists.writes(),
      ...(await without.requests()).filter(({ method }) => !['GET', 'HEAD'].includes(method)),
    ]
    const before = await writesOf()
    for (const target of [`${withLists.host}/second`, `${without.host}/third`]) {
      const again = await regctl('copy', `oci:${at('source')}:1`, `${target}:1`, '--referrers')
      expect(again).toMatchObject({ code: 0, stderr: '' })
      expect(again.stdout).toContain('With 5 referrers\n')
    }
    expect(await writesOf()).toHaveLength(before.length)
  })

  it.skipIf(missingImages())('carries what cosign signed, saved in its own way or by referrers', async () => {
    const image = 'sha256:ae3a88653272a8803bc533803cd1f90fe13137773324040c656c27fa87b68cae' as Digest
    const saved = ['copy', imagePath('cosign-saved'), `${without.host}/saved:1`, '--image', `@${image}`]
    const copied = await regctl(...saved, '--referrers')
    expect(copied).toMatchObject({ code: 0, stderr: '' })
    expect(copied.stdout).toContain('With 2 referrers\n')
    const back = await regctl('copy', `${without.host}/saved:1`, `${withLists.host}/saved:1`, '--referrers')
    expect(back).toMatchObject({ code: 0, stderr: '' })
    const signature = await withLists.manifest('saved', `${image.replace(':', '-')}.sig`)
    expect(signature?.digest).toBe('sha256:cfd780fd041fbbe3ce6f6ce6c43d7e0ee7c485eef588491b21871bac28b67db3')
    expect(await withLists.manifest('saved', `${image.replace(':', '-')}.att`)).toBeDefined()

    const bundle = 'sha256:191ecad64b8ad2ea6b6112271c4702e7167577682524c1abf45fe471716ca069'
    const places = [`${without.host}/bundle`, `${withLists.host}/bundle`, `oci:${at('bundle')}`]
    let from = `oci:${imagePath('cosign3-referrers')}:1`
    for (const place of places) {
      const next = await regctl('copy', from, `${place}:1`, '--referrers')
      expect(next).toMatchObject({ code: 0, stderr: '' })
      expect(await referrersIn(place, image)).toEqual([bundle])
      from = `${place}:1`
    }
  })
})
