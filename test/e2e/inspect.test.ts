import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContext } from '../../src/content/context.js'
import type { Digest } from '../../src/content/digest.js'
import { digestOf, shortDigest } from '../../src/content/digest.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import { MemoryStore } from '../../src/content/memory-store.js'
import { formatReference } from '../../src/content/reference.js'
import { type Inspection, inspect } from '../../src/lookup/inspect.js'
import { parseLocator } from '../../src/open/location.js'
import { openImageFile } from '../../src/open/open-image-file.js'
import { type BuiltImage, buildImage, buildIndex } from '../support/image-builder.js'
import { imagePath, missingImages, validImages } from '../support/images.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl, regctlWith } from '../support/run.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

/** What is refused by every command: its config isn't what its name says, no manifest, compressions that can't be read. */
const REFUSED: Record<string, string> = {
  'third-party/bazel-empty-history.tar': 'digest-mismatch',
  'third-party/ggcr-test-index': 'unsupported',
  'variants/oci-lz4.tar.lz4': 'unsupported-compression',
  'variants/oci-lzma.tar.lzma': 'unsupported-compression',
}

describe.skipIf(missingImages() !== undefined)('every image of the collection', () => {
  it.each(Object.entries(REFUSED))('%s is refused', async (name, code) => {
    const result = await regctl('inspect', imagePath(name), '--image', '#2', '--json')
    const alone = await regctl('inspect', imagePath(name), '--json')
    const codes = [result, alone].map(({ stdout }) => JSON.parse(stdout).error.code)
    expect(codes).toContain(code)
  })

  it.each(
    validImages()
      .filter(({ name }) => REFUSED[name] === undefined)
      .map(({ name, path, expected }) => [name, path, expected] as const),
  )('%s is described by the schema', async (_name, path, { docker }) => {
    const locator = await parseLocator(path, 'file')
    if (locator.kind === 'registry') throw new Error(formatReference(locator.reference))
    const context = createContext()
    await using file = await openImageFile(locator, context, { stdin: Readable.from([]) })
    for (const image of file.images) {
      const found = await inspect(image, context)
      expect(schemaErrors('inspect', JSON.stringify({ locator: path, ...found }))).toEqual([])
      expect(found.digest ?? found.image?.id).toBe(image.digest ?? image.configDigest)
      expectWhole(found)
      if (file.format === 'docker-archive') {
        const known = docker?.find(({ config }) => found.image?.id.endsWith(config.replace(/^.*:/, '')))
        expect(found.image?.layers.map(({ diffID }) => diffID)).toEqual(known?.diff_ids)
      }
    }
  })

  function expectWhole({ image, artifact, platforms }: Inspection): void {
    if (platforms === undefined) expect(image ?? artifact).toBeDefined()
    for (const layer of image?.layers ?? []) expect(layer.digest ?? layer.diffID).toBeDefined()
  }

  it.each([
    ['docker28-one.tar'],
    ['buildkit-oci-multi-attest.tar'],
    ['crane-nested-index'],
    ['skopeo122-dir'],
    ['umoci06-empty.tar'],
  ])('%s: the command prints that document', async name => {
    const { code, stdout, stderr } = await regctl('inspect', imagePath(name), '--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(schemaErrors('inspect', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject({ locator: imagePath(name) })
  })
})

const AMD = { os: 'linux', architecture: 'amd64' }
const ARM = { os: 'linux', architecture: 'arm64' }
const UTF8 = { env: { LC_ALL: 'C.UTF-8' } }

describe('an image in a registry', () => {
  const repositories = new MemoryCollection()
  let registry: TestRegistry
  let amd: BuiltImage
  let arm: BuiltImage

  /** What the registry was asked for by a command. */
  async function requestsOf(
    ...parameters: string[]
  ): Promise<{ requests: string[]; stdout: string; code: number | null }> {
    const before = registry.requests().length
    const { stdout, code } = await regctl('inspect', ...parameters)
    const requests = registry.requests().slice(before)
    return { requests: requests.filter(line => line !== 'GET /v2/'), stdout, code }
  }

  async function put(
    name: string,
    images: readonly BuiltImage[],
    manifests: readonly ReturnType<typeof rawManifest>[],
  ) {
    const store = await repositories.create(name)
    const origin = new MemoryStore('made')
    const context = createContext()
    for (const { blobs, manifest } of images) {
      for (const [digest, bytes] of blobs) {
        const descriptor = { mediaType: '', digest, size: bytes.length }
        await store.putBlob({ descriptor, origin, open: async () => Readable.from([bytes]) }, context)
      }
      await store.putManifest(manifest, [shortDigest(manifest.descriptor.digest)], context)
    }
    for (const [position, manifest] of manifests.entries()) {
      await store.putManifest(manifest, [`index-${position}`], context)
    }
  }

  beforeAll(async () => {
    registry = await startRegistry({ repositories })
    amd = await buildImage({ platform: AMD, layers: [{ a: 'amd\n' }] })
    arm = await buildImage({ platform: ARM, layers: [{ a: 'arm\n' }] })
    const index = buildIndex([
      { manifest: amd.manifest, platform: AMD },
      { manifest: arm.manifest, platform: ARM },
    ])
    const nested = buildIndex([{ manifest: index }])
    await put('app', [amd, arm], [index, nested])
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
  })

  const manifestOf = (tagOrDigest: string) => `GET /v2/app/manifests/${tagOrDigest}`
  const configOf = ({ config }: BuiltImage) => `GET /v2/app/blobs/${config.digest}`

  it('costs two requests: its manifest and its config', async () => {
    const tag = shortDigest(amd.manifest.descriptor.digest)
    const { requests, stdout } = await requestsOf(
      `${registry.host}/app:${tag}`,
      '--json',
      '--platform',
      'linux/amd64',
    )
    expect(requests).toEqual([manifestOf(tag), configOf(amd)])
    expect(schemaErrors('inspect', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject({
      name: `${registry.host}/app:${tag}`,
      digest: amd.manifest.descriptor.digest,
      image: {
        id: amd.config.digest,
        platform: AMD,
        size: amd.config.size + (amd.layers[0]?.size ?? 0),
        layers: [{ digest: amd.layers[0]?.digest, diffID: amd.diffIDs[0], createdBy: 'layer 0' }],
      },
    })
  })

  it('costs one more in an index, and one more for an index within it', async () => {
    const child = arm.manifest.descriptor.digest
    const flat = await requestsOf(`${registry.host}/app:index-0`, '--platform', 'linux/arm64')
    expect(flat.requests).toEqual([manifestOf('index-0'), manifestOf(child), configOf(arm)])
    const nested = await requestsOf(`${registry.host}/app:index-1`, '--platform', 'linux/arm64')
    expect(nested.requests).toHaveLength(4)
    expect(nested.requests).toContain(configOf(arm))
  })

  it("shows this machine's image of an index", async () => {
    const { stdout, code } = await regctlWith(UTF8, 'inspect', `${registry.host}/app:index-1`)
    expect(code).toBe(0)
    const here = process.arch === 'arm64' ? arm : amd
    expect(stdout).toContain(
      `\nDigest   ${here.manifest.descriptor.digest}\nID       ${here.config.digest}\n`,
    )
    expect(stdout).toContain('├── linux/amd64')
    expect(stdout).toContain('1 layer\n')
  })

  it('is not there for a platform that it has not', async () => {
    const { code, stderr } = await regctl(
      'inspect',
      `${registry.host}/app:index-0`,
      '--platform',
      'linux/s390x',
    )
    expect(code).toBe(3)
    expect(stderr).toContain('has no image for linux/s390x\nhint: It has linux/amd64, linux/arm64\n')
    const tag = shortDigest(amd.manifest.descriptor.digest)
    const single = await regctl('inspect', `${registry.host}/app:${tag}`, '--platform', 'linux/arm64')
    expect(single.code).toBe(3)
    expect(single.stderr).toContain('has no image for linux/arm64\nhint: It has linux/amd64\n')
  })

  it('may have a config that is nonsense, and control characters in it (R231)', async () => {
    const evil = {
      ...{ os: 7, architecture: [], created: 'never', rootfs: null, history: 'x' },
      config: {
        User: 'a\u001b[2Jb',
        Env: { A: 1 },
        Cmd: [1, 'run\u0007\u202e', {}],
        Labels: { a: 1, b: 'x\r\ny' },
      },
    }
    const config = Buffer.from(JSON.stringify(evil))
    const descriptor = { mediaType: MediaType.ociConfig, digest: digestOf(config), size: config.length }
    const document = { schemaVersion: 2, mediaType: MediaType.ociManifest, config: descriptor, layers: [] }
    const manifest = rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
    const blobs = new Map<Digest, Buffer>([[descriptor.digest, config]])
    await put('evil', [{ ...amd, manifest, blobs }], [])
    const reference = `${registry.host}/evil:${shortDigest(manifest.descriptor.digest)}`
    const { stdout, stderr, code } = await regctl('inspect', reference)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('User    a[2Jb\nCmd     run\nLabels  b=x y\n')
    const json = await regctl('inspect', reference, '--json')
    expect(schemaErrors('inspect', json.stdout)).toEqual([])
  })
})
