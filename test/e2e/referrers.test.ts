import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Descriptor } from '../../src/content/descriptor.js'
import { type Digest, digestOf, shortDigest } from '../../src/content/digest.js'
import { digestTags } from '../../src/content/digest-tags.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import { MemoryStore } from '../../src/content/memory-store.js'
import type { RawManifest, Store } from '../../src/content/store.js'
import { createContext, RegistryClient } from '../../src/index.js'
import { startDockerRegistry } from '../support/docker-registry.js'
import { type BuiltImage, buildImage, buildIndex } from '../support/image-builder.js'
import { imagePath, missingImages } from '../support/images.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl, regctlWith } from '../support/run.js'
import { answer, startScripted } from '../support/scripted-server.js'
import { missingTool } from '../support/tools.js'
import { startRegistry } from './test-registry.js'

const context = createContext()
const AMD = { os: 'linux', architecture: 'amd64' }
const ARM = { os: 'linux', architecture: 'arm64' }
const NOTATION = 'application/vnd.cncf.notary.signature'
const UTF8 = { env: { LC_ALL: 'C.UTF-8' } }

/** An artifact of one small layer. */
function artifact(fields: {
  subject?: Descriptor
  artifactType?: string
  layerType?: string
  text: string
  annotations?: Record<string, string>
}) {
  const bytes = Buffer.from(fields.text)
  const layer = { mediaType: fields.layerType ?? 'text/plain', digest: digestOf(bytes), size: bytes.length }
  const empty = Buffer.from('{}')
  const config = { mediaType: MediaType.ociEmpty, digest: digestOf(empty), size: empty.length }
  const { subject, artifactType, annotations } = fields
  const document = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    artifactType,
    config,
    layers: [{ ...layer, annotations }],
    subject,
    annotations,
  }
  const manifest = rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
  const blobs = new Map<Digest, Buffer>([
    [layer.digest, bytes],
    [config.digest, empty],
  ])
  return { manifest, blobs }
}

type Piece = Pick<BuiltImage, 'manifest' | 'blobs'>

async function put(store: Store, { manifest, blobs }: Piece, ...tags: string[]): Promise<void> {
  const origin = new MemoryStore('made')
  for (const [digest, bytes] of blobs) {
    const descriptor = { mediaType: '', digest, size: bytes.length }
    await store.putBlob({ descriptor, origin, open: async () => Readable.from([bytes]) }, context)
  }
  await store.putManifest(manifest, tags, context)
}

/** An index of two images with everything that can be said of them. */
async function publish(store: Store) {
  const images = [
    await buildImage({ platform: AMD, layers: [{ a: 'amd\n' }] }),
    await buildImage({ platform: ARM, layers: [{ a: 'arm\n' }] }),
  ] as const
  const [amd, arm] = images
  const provenance = artifact({
    text: 'provenance',
    layerType: 'application/vnd.in-toto+json',
    annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' },
  })
  const about = {
    'vnd.docker.reference.type': 'attestation-manifest',
    'vnd.docker.reference.digest': arm.manifest.descriptor.digest,
  }
  const index = buildIndex([
    { manifest: amd.manifest, platform: AMD },
    { manifest: arm.manifest, platform: ARM },
    {
      manifest: provenance.manifest,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: about,
    },
  ])
  const signature = artifact({
    text: 'signature',
    layerType: 'application/vnd.dev.cosign.simplesigning.v1+json',
  })
  const sbom = artifact({
    subject: index.descriptor,
    artifactType: 'application/spdx+json',
    text: 'sbom',
    annotations: { 'org.opencontainers.image.created': '2026-01-02T03:04:05Z', evil: '\u001b[31m' },
  })
  const seal = artifact({ subject: sbom.manifest.descriptor, artifactType: NOTATION, text: 'seal' })
  for (const piece of [amd, arm, provenance]) await put(store, piece)
  await put(store, { manifest: index, blobs: new Map() }, '1.0')
  await put(store, signature, digestTags(amd.manifest.descriptor.digest)[0] ?? '')
  await put(store, sbom)
  await put(store, seal)
  const digestIn = ({ manifest }: { manifest: RawManifest }) => manifest.descriptor.digest
  return {
    index: index.descriptor.digest,
    amd: digestIn(amd),
    arm: digestIn(arm),
    signature: digestIn(signature),
    provenance: digestIn(provenance),
    sbom: digestIn(sbom),
    seal: digestIn(seal),
  }
}

const withoutRegistry = missingTool('docker-registry')

interface Place extends AsyncDisposable {
  host: string
}

describe.each([
  ['a registry with lists of referrers', async (): Promise<Place> => await startRegistry(), undefined],
  [
    'a registry with referrers tags (R77, R78)',
    async (): Promise<Place> => await startDockerRegistry(),
    withoutRegistry,
  ],
])('what refers to an image in %s', (_what, start, missing) => {
  let registry: Place
  let reference: string
  let said: Awaited<ReturnType<typeof publish>>

  beforeAll(async () => {
    if (missing !== undefined) return
    registry = await start()
    reference = `${registry.host}/app:1.0`
    await using client = new RegistryClient({ credentials: { find: async () => undefined } })
    said = await publish(client.repository(registry.host, 'app'))
  })

  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]()
  })

  it.skipIf(missing !== undefined)('is drawn as a tree, with what refers to that', async () => {
    const { code, stdout, stderr } = await regctlWith(UTF8, 'referrers', reference)
    const short = (digest: Digest) => `sha256:${shortDigest(digest)}`
    const tag = digestTags(said.amd)[0]
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.replace(/ +[\d.]+k?B(?= )/g, '')).toBe(
      `${reference}  ${short(said.index)}  index
├── linux/amd64  ${short(said.amd)}
│   └── cosign signature  ${short(said.signature)}  ${tag}
├── linux/arm64  ${short(said.arm)}
│   └── SLSA provenance  ${short(said.provenance)}  (in the index)  predicate https://slsa.dev/provenance/v1
└── SPDX SBOM  ${short(said.sbom)}  2026-01-02
    └── notation signature  ${short(said.seal)}
`,
    )
  })

  it.skipIf(missing !== undefined)('is a nested document with --json', async () => {
    const { code, stdout } = await regctl('referrers', reference, '--json')
    expect(code).toBe(0)
    expect(schemaErrors('referrers', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject({
      locator: reference,
      digest: said.index,
      children: [
        { platform: AMD, referrers: [{ via: 'tag', digest: said.signature }] },
        { platform: ARM, referrers: [{ via: 'index', predicateTypes: ['https://slsa.dev/provenance/v1'] }] },
      ],
      referrers: [
        {
          name: 'SPDX SBOM',
          artifactType: 'application/spdx+json',
          annotations: { evil: '\u001b[31m' },
          referrers: [{ name: 'notation signature', digest: said.seal, referrers: [] }],
        },
      ],
    })
  })

  it.skipIf(missing !== undefined)('is cut to one type with what leads to it, or to lines', async () => {
    const cut = await regctl('referrers', reference, '--artifact-type', NOTATION)
    expect(cut.stdout.split('\n').map(line => line.replace(/ {2}.*/, ''))).toEqual([
      reference,
      '`-- SPDX SBOM',
      '',
      '',
    ])
    expect(cut.stdout).toContain('    `-- notation signature')
    const flat = await regctl('referrers', reference, '--flat', '--artifact-type', NOTATION)
    expect(flat).toMatchObject({ code: 0, stdout: `${NOTATION} ${said.seal}\n` })
    const all = await regctl('referrers', reference, '--flat', '--no-digest-tags')
    expect(all.stdout.trimEnd().split('\n').sort()).toEqual(
      [
        `application/spdx+json ${said.sbom}`,
        `application/vnd.in-toto+json ${said.provenance}`,
        `${NOTATION} ${said.seal}`,
      ].sort(),
    )
  })

  it.skipIf(missing !== undefined)("is that of one platform's image, with --platform", async () => {
    const arm = await regctl('referrers', reference, '--platform', 'linux/arm64', '--json')
    expect(JSON.parse(arm.stdout)).toMatchObject({
      digest: said.arm,
      referrers: [{ digest: said.provenance, via: 'index' }],
      children: [],
    })
    expect((await regctl('referrers', reference, '--platform', 'linux/s390x')).code).toBe(3)
  })

  it.skipIf(missing !== undefined)('may be nothing, which is no failure', async () => {
    const seal = `${registry.host}/app@${said.seal}`
    const { code, stdout, stderr } = await regctl('referrers', seal)
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `nothing refers to ${seal}\n`, stderr: '' })
    const none = await regctl('referrers', `${registry.host}/app:none`, '--json')
    expect(none.code).toBe(3)
    expect(schemaErrors('error', none.stdout)).toEqual([])
  })
})

describe('referrers', () => {
  it('that lead back to each other are followed once (R85)', async () => {
    const image = await buildImage()
    const one = artifact({ artifactType: 'application/x.one', text: 'one' }).manifest
    const two = artifact({ artifactType: 'application/x.two', text: 'two' }).manifest
    const listed = ({ descriptor }: RawManifest, artifactType: string) => ({ ...descriptor, artifactType })
    const list = (entry: object) =>
      answer(
        200,
        { 'content-type': MediaType.ociIndex },
        JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [entry] }),
      )
    const { descriptor, bytes } = image.manifest
    await using server = await startScripted([
      [/^GET \/v2\/$/, answer(200)],
      [/^GET .*\/manifests\/1$/, answer(200, { 'content-type': descriptor.mediaType }, bytes)],
      [new RegExp(`referrers/${descriptor.digest}`), list(listed(one, 'application/x.one'))],
      [new RegExp(`referrers/${one.descriptor.digest}`), list(listed(two, 'application/x.two'))],
      [new RegExp(`referrers/${two.descriptor.digest}`), list(listed(one, 'application/x.one'))],
    ])
    const { code, stdout, stderr } = await regctl('referrers', `${server.host}/loop:1`)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.trimEnd().split('\n').slice(1)).toEqual([
      expect.stringMatching(/^`-- application\/x\.one /),
      expect.stringMatching(/^ {4}`-- application\/x\.two /),
      expect.stringMatching(/^ {8}`-- application\/x\.one .*\(shown elsewhere\)$/),
    ])
    expect(server.lines().filter(line => line.includes('/referrers/'))).toHaveLength(3)
  })

  it.skipIf(missingImages() !== undefined)('in layouts that cosign wrote are found', async () => {
    const saved = await regctl('referrers', imagePath('cosign-saved'), '--image', '#1', '--json')
    expect(schemaErrors('referrers', saved.stdout)).toEqual([])
    expect(JSON.parse(saved.stdout).referrers).toMatchObject([
      { name: 'cosign signature', via: 'tag' },
      { name: 'in-toto attestation', via: 'tag' },
    ])
    const bundles = await regctl('referrers', imagePath('cosign3-referrers'), '--image', '1')
    expect(bundles.stdout).toMatch(/^`-- cosign signature {2}sha256:191ecad64b8a {2}2026-11-20 /m)
  })
})
