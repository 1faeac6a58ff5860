import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Descriptor } from '../../src/content/descriptor.js'
import { digestOf } from '../../src/content/digest.js'
import { parseManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import type { RawManifest } from '../../src/content/store.js'
import { indexOf, manifestOf } from '../contract/store-fixtures.js'
import { KINDS_BY_ALGORITHM, type RunningRegistry, startRegistry } from './collections.js'
import { type ImageOptions, pushImage } from './images.js'
import type { RawClient } from './raw-client.js'

const REPO = 'conformance/repo1'
const ARTIFACT = 'application/vnd.example.artifact'

type Image = (seed: string, options?: ImageOptions) => Promise<RawManifest>
/** Manifests in the order in which they are pushed; the last one is tagged. */
type DataSet = (image: Image) => Promise<RawManifest[]>

const artifact = (fields: Record<string, unknown> = {}): ImageOptions => ({
  config: Buffer.from('{}'),
  configType: MediaType.ociEmpty,
  layerType: ARTIFACT,
  fields: { artifactType: ARTIFACT, annotations: { 'org.example.note': 'hello' }, ...fields },
})

const annotations = Object.fromEntries(
  Array.from({ length: 390 }, (_, position) => [`large-${position}`, 'A'.repeat(10_000)]),
)

async function indexWithImages(
  image: Image,
  seed: string,
  options: ImageOptions = {},
  fields = {},
): Promise<RawManifest[]> {
  const images = [await image(`${seed} a`, options), await image(`${seed} b`, options)]
  return [...images, indexOf(images, fields)]
}

const DATA_SETS: Record<string, DataSet> = {
  image: async image => [await image('image')],
  'image with uncompressed layers': async image => [await image('plain', { layerType: MediaType.ociLayer })],
  'image with a large manifest': async image => [await image('large', { fields: { annotations } })],
  index: image => indexWithImages(image, 'index'),
  'nested index': async image => {
    const first = await indexWithImages(image, 'nested 1')
    const second = await indexWithImages(image, 'nested 2')
    return [...first, ...second, indexOf([...first.slice(2), ...second.slice(2)])]
  },
  'empty index': async () => [indexOf([])],
  artifact: async image => [await image('artifact', artifact())],
  'artifact index': image => indexWithImages(image, 'artifacts', artifact(), { artifactType: ARTIFACT }),
  'artifact without content': async image => [
    await image('bare', { ...artifact(), layers: [Buffer.from('{}')], layerType: MediaType.ociEmpty }),
  ],
  'artifacts with a subject': async image => {
    const subject = await image('subject')
    const fields = { subject: subject.descriptor }
    const other = artifact({ ...fields, artifactType: `${ARTIFACT}.other` })
    return [
      subject,
      await image('r1', { fields }),
      await image('r2', artifact(fields)),
      await image('r3', other),
    ]
  },
  'index with a subject': async image => {
    const subject = await indexWithImages(image, 'subject index')
    const fields = { subject: subject.at(-1)?.descriptor }
    const plain = await indexWithImages(image, 'referring', {}, fields)
    return [...subject, ...plain, indexOf([], { ...fields, artifactType: ARTIFACT })]
  },
  'artifact with a missing subject': async image => {
    const subject = { mediaType: MediaType.ociManifest, digest: digestOf(Buffer.from('missing')), size: 123 }
    return [await image('missing subject', artifact({ subject }))]
  },
  'image with the data in its descriptors': async image => [await image('data', { data: true })],
  'image with layers that may not be distributed': async image => {
    const present = await image('nondistributable')
    const document = JSON.parse(Buffer.from(present.bytes).toString())
    const types = ['nondistributable.v1.tar', 'nondistributable.v1.tar+gzip']
    const absent = types.map(type => {
      const digest = digestOf(Buffer.from(type))
      const urls = [`https://store.example.com/${digest}`]
      return { mediaType: `application/vnd.oci.image.layer.${type}`, digest, size: 12345, urls }
    })
    return [manifestOf({ ...document, layers: [...absent, ...document.layers] }, MediaType.ociManifest)]
  },
  'index with custom fields': image =>
    indexWithImages(
      image,
      'custom',
      { fields: { 'org.example.field': { nested: [1] } } },
      { 'org.example.field': 'x' },
    ),
  'image without layers': async image => [await image('no layers', { layers: [] })],
  'image with an empty layer': async image => [await image('empty layer', { layers: [Buffer.alloc(0)] })],
  'sparse index': async image => {
    const present = await image('sparse')
    const digest = digestOf(Buffer.from('another platform'))
    const absent = {
      descriptor: { mediaType: MediaType.ociManifest, digest, size: 1024 },
      bytes: Buffer.alloc(0),
    }
    return [present, indexOf([present, absent])]
  },
}

describe.each(KINDS_BY_ALGORITHM)('data sets over $name by $algorithm', ({ kind, algorithm }) => {
  let registry: RunningRegistry

  beforeAll(async () => {
    registry = await startRegistry(kind)
  })
  afterAll(async () => {
    await registry.stop()
  })

  test.each(Object.keys(DATA_SETS))('%s is pushed, listed, pulled and deleted', async name => {
    const { client } = registry
    const image: Image = (seed, options) =>
      pushImage(client, REPO, `${name} ${seed}`, { ...options, algorithm })
    const manifests = (await DATA_SETS[name]?.(image)) ?? []
    const tagged = manifests.at(-1)
    if (tagged === undefined) throw new Error('a data set has a manifest')
    const tags = ['set-a', 'set-b', 'set-c']

    for (const manifest of manifests) await expectPushed(client, manifest, manifest.descriptor.digest)
    for (const tag of tags) {
      // A tag alone says nothing of the algorithm, so other digests are tagged by a parameter.
      if (algorithm === 'sha256') await expectPushed(client, tagged, tag)
      else await expectPushed(client, tagged, tagged.descriptor.digest, `?tag=${tag}`)
    }
    await expectTags(client, tags)
    for (const manifest of manifests) await expectPulled(client, manifest, manifest.descriptor.digest)
    for (const tag of tags) await expectPulled(client, tagged, tag)
    for (const manifest of manifests) await expectReferred(client, manifest)
    for (const tag of tags) await expectDeleted(client, `manifests/${tag}`)
    for (const { descriptor } of manifests.toReversed())
      await expectDeleted(client, `manifests/${descriptor.digest}`)
    for (const manifest of manifests) await expectNotReferred(client, manifest)
    for (const blob of new Set(manifests.flatMap(blobsOf))) await expectDeleted(client, `blobs/${blob}`)
  })
})

const parse = (manifest: RawManifest) =>
  parseManifest(manifest.bytes, manifest.descriptor.mediaType, 'manifest')

function blobsOf(manifest: RawManifest): string[] {
  const parsed = parse(manifest)
  if (parsed.kind === 'index') return []
  return [parsed.config, ...parsed.layers]
    .filter(({ urls }) => urls === undefined)
    .map(({ digest }) => digest)
}

async function expectPushed(
  client: RawClient,
  manifest: RawManifest,
  target: string,
  query = '',
): Promise<void> {
  const put = await client.putManifest(REPO, `${target}${query}`, manifest)
  expect(put.status, put.body.toString()).toBe(201)
  expect(put.headers['docker-content-digest']).toBe(manifest.descriptor.digest)
  expect(put.headers['oci-subject']).toBe(parse(manifest).subject?.digest)
  const got = await client.send('GET', put.headers.location ?? '')
  expect([got.status, got.headers['content-type']]).toEqual([200, manifest.descriptor.mediaType])
  expect(got.body.equals(manifest.bytes)).toBe(true)
}

async function expectTags(client: RawClient, tags: string[]): Promise<void> {
  const list = async (query: string) => {
    const { body } = await client.send('GET', `/v2/${REPO}/tags/list${query}`)
    return JSON.parse(body.toString())
  }
  expect(await list('')).toEqual({ name: REPO, tags })
  expect(await list('?last=set-a')).toEqual({ name: REPO, tags: tags.slice(1) })
}

async function expectPulled(client: RawClient, manifest: RawManifest, target: string): Promise<void> {
  const { mediaType, digest, size } = manifest.descriptor
  const head = await client.send('HEAD', `/v2/${REPO}/manifests/${target}`)
  const got = await client.send('GET', `/v2/${REPO}/manifests/${target}`)
  for (const { status, headers } of [head, got]) {
    expect([status, headers['content-type'], headers['content-length']]).toEqual([200, mediaType, `${size}`])
    expect(headers['docker-content-digest']).toBe(digest)
  }
  expect(head.body).toHaveLength(0)
  expect(got.body.equals(manifest.bytes)).toBe(true)
}

async function referrers(client: RawClient, subject: string, query = ''): Promise<Descriptor[]> {
  const answer = await client.send('GET', `/v2/${REPO}/referrers/${subject}${query}`)
  expect([answer.status, answer.headers['content-type']]).toEqual([200, MediaType.ociIndex])
  expect(answer.headers['oci-filters-applied']).toBe(query === '' ? undefined : 'artifactType')
  return JSON.parse(answer.body.toString()).manifests
}

async function expectReferred(client: RawClient, manifest: RawManifest): Promise<void> {
  const parsed = parse(manifest)
  if (parsed.subject === undefined) return
  const artifactType = parsed.artifactType ?? (parsed.kind === 'image' ? parsed.config.mediaType : undefined)
  const wanted = { ...manifest.descriptor, ...(artifactType && { artifactType }) }
  const entries = [
    await referrers(client, parsed.subject.digest),
    await referrers(client, parsed.subject.digest, `?artifactType=${encodeURIComponent(artifactType ?? '')}`),
  ]
  for (const list of entries) {
    const entry = list.find(({ digest }) => digest === manifest.descriptor.digest)
    expect(entry).toMatchObject(wanted)
    expect(entry?.annotations ?? {}).toEqual({ ...parsed.annotations })
  }
  expect(entries[1]?.every(entry => (entry.artifactType ?? '') === (artifactType ?? ''))).toBe(true)
  expect(
    await referrers(client, parsed.subject.digest, '?artifactType=application/vnd.example.none'),
  ).toEqual([])
}

async function expectNotReferred(client: RawClient, manifest: RawManifest): Promise<void> {
  const { subject } = parse(manifest)
  if (subject !== undefined) expect(await referrers(client, subject.digest)).toEqual([])
}

async function expectDeleted(client: RawClient, path: string): Promise<void> {
  expect((await client.send('DELETE', `/v2/${REPO}/${path}`)).status).toBe(202)
  expect((await client.send('HEAD', `/v2/${REPO}/${path}`)).status).toBe(404)
}
