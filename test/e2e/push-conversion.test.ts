import { join } from 'node:path'
import * as zlib from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { MediaType } from '../../src/content/media-types.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type BuiltImage, buildImage, writeLayout } from '../support/image-builder.js'
import { expectedOf, imagePath, missingImages } from '../support/images.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { readTar, writeTar } from './tar-files.js'
import { startRegistry } from './test-registry.js'

const hasZstd = 'createZstdCompress' in zlib
const LAYERS = [{ seed: 1, size: 40_000 }, { motd: 'welcome\n' }]

describe('push with --compression and --format', () => {
  let folder: TemporaryFolder
  let archive: string
  let layout: string
  let built: BuiltImage

  beforeAll(async () => {
    folder = await temporaryFolder()
    archive = join(folder.path, 'archive.tar')
    layout = join(folder.path, 'layout')
    await writeDockerArchive(archive, [{ layers: LAYERS }])
    built = await buildImage({ layers: LAYERS })
    await writeLayout(layout, [{ manifest: built.manifest, tag: '1' }], built.blobs)
  })

  afterAll(() => folder[Symbol.asyncDispose]())

  it.each([
    ['auto', 'gzip'],
    ['gzip', 'gzip'],
    ['gzip:9', 'gzip'],
    ['keep', 'none'],
  ])('compresses the plain layers of a docker-archive with %s: %s', async (flag, expected) => {
    await using registry = await startRegistry()
    const result = await regctl('push', archive, `${registry.host}/x`, '--compression', flag)
    expect(result).toMatchObject({ code: 0, stderr: '' })
    const stored = await registry.manifest('x', 'latest')
    expect(stored?.mediaType).toBe(MediaType.dockerManifest)
    const type = expected === 'gzip' ? MediaType.dockerLayerGzip : MediaType.dockerLayer
    const plain = []
    for (const layer of stored?.document.layers ?? []) {
      expect(layer.mediaType).toBe(type)
      const bytes = await registry.blob('x', layer.digest)
      plain.push(digestOf(expected === 'gzip' ? zlib.gunzipSync(bytes) : bytes))
    }
    expect(plain).toEqual(built.diffIDs)
    const digest = await regctl('digest', archive, '--compression', flag)
    expect(digest.stdout).toBe(`${stored?.digest}\n`)
  })

  it('compresses differently at another level, and says that the digest of an OCI image is another one', async () => {
    await using registry = await startRegistry()
    const { host } = registry
    const was = built.manifest.descriptor.digest
    const best = await regctl('push', layout, `${host}/x:best`, '--compression', 'gzip:9')
    const fast = await regctl('push', layout, `${host}/x:fast`, '--compression', 'gzip:1')
    const digests = []
    for (const [tag, result] of [
      ['best', best],
      ['fast', fast],
    ] as const) {
      const stored = await registry.manifest('x', tag)
      expect(stored?.mediaType).toBe(MediaType.ociManifest)
      expect(result).toMatchObject({
        code: 0,
        stderr: `warning: ${layout} is converted: its digest was ${was} and is now ${stored?.digest}\n`,
      })
      digests.push(stored?.digest)
    }
    expect(new Set([...digests, was]).size).toBe(3)
  })

  it.each(['keep', 'gzip', 'auto'])('leaves an OCI image of gzip layers alone with %s', async flag => {
    await using registry = await startRegistry()
    const result = await regctl('push', layout, `${registry.host}/x`, '--compression', flag)
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect((await registry.manifest('x', 'latest'))?.digest).toBe(built.manifest.descriptor.digest)
  })

  it(hasZstd ? 'makes zstd layers, in an OCI manifest' : 'refuses zstd on a Node that has none', async () => {
    await using registry = await startRegistry()
    for (const image of [archive, layout]) {
      const { code, stderr } = await regctl('push', image, `${registry.host}/x`, '--compression', 'zstd')
      const stored = await registry.manifest('x', 'latest')
      if (hasZstd) {
        expect(code).toBe(0)
        expect(stderr).toContain('warning: ')
        expect(stored?.mediaType).toBe(MediaType.ociManifest)
        const types = stored?.document.layers?.map(layer => layer.mediaType)
        expect(types).toEqual([MediaType.ociLayerZstd, MediaType.ociLayerZstd])
      } else {
        expect(code).toBe(2)
        expect(stderr).toMatch(/^error: Node [\d.]+ cannot compress with zstd\nhint: .*use gzip/m)
        expect(stored).toBeUndefined()
      }
    }
  })

  it('refuses a compression that does not exist', async () => {
    for (const flag of ['brotli', 'gzip:10', 'gzip:0', 'zstd:20', 'keep:3', '']) {
      const { code, stderr } = await regctl('push', archive, '127.0.0.1:1/x', '--compression', flag)
      expect(code).toBe(2)
      expect(stderr).toContain(`"${flag}" is not a compression`)
    }
  })

  it('makes an OCI manifest of a docker-archive with --format oci', async () => {
    await using registry = await startRegistry()
    const result = await regctl('push', archive, `${registry.host}/x`, '--format', 'oci')
    expect(result).toMatchObject({ code: 0, stderr: '' })
    const stored = await registry.manifest('x', 'latest')
    expect(stored?.mediaType).toBe(MediaType.ociManifest)
    expect(stored?.document.config?.mediaType).toBe(MediaType.ociConfig)
    expect(stored?.document.layers?.[0]?.mediaType).toBe(MediaType.ociLayerGzip)
  })

  it("makes Docker's manifest of an OCI image with --format docker, with the same blobs", async () => {
    await using registry = await startRegistry()
    const result = await regctl('push', layout, `${registry.host}/x`, '--format', 'docker')
    expect(result.code).toBe(0)
    expect(result.stderr).toMatch(/^warning: .* is converted: its digest was .* and is now /)
    const stored = await registry.manifest('x', 'latest')
    expect(stored?.mediaType).toBe(MediaType.dockerManifest)
    expect(stored?.document.config).toMatchObject({
      mediaType: MediaType.dockerConfig,
      digest: built.config.digest,
    })
    expect(stored?.document.layers?.map(layer => [layer.mediaType, layer.digest])).toEqual(
      built.layers.map(layer => [MediaType.dockerLayerGzip, layer.digest]),
    )
  })
})

describe.skipIf(missingImages() !== undefined)('push of an index', () => {
  const name = 'buildkit-oci-multi-attest.tar'
  const path = imagePath(name)

  it('keeps its digest, with all platforms and attestations', async () => {
    await using registry = await startRegistry()
    const result = await regctl('push', path, `${registry.host}/x:1`)
    expect(result).toMatchObject({ code: 0, stderr: '' })
    const stored = await registry.manifest('x', '1')
    expect(stored?.digest).toBe(expectedOf(name).oci?.roots[0]?.digest)
    expect(stored?.document.manifests).toHaveLength(6)
    for (const child of stored?.document.manifests ?? []) {
      expect((await registry.manifest('x', child.digest))?.digest).toBe(child.digest)
    }
  })

  it("pushes one platform's manifest with --platform, unchanged", async () => {
    await using registry = await startRegistry()
    const { host } = registry
    await regctl('push', path, `${host}/all:1`)
    const index = await registry.manifest('all', '1')
    const arm = index?.document.manifests?.find(({ platform }) => platform?.architecture === 'arm64')
    const result = await regctl('push', path, `${host}/arm:1`, '--platform', 'linux/arm64')
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect((await registry.manifest('arm', '1'))?.digest).toBe(arm?.digest)
    const digest = await regctl('digest', path, '--platform', 'linux/arm64')
    expect(digest.stdout).toBe(`${arm?.digest}\n`)
  })

  it('lists the platforms when there is no such one', async () => {
    await using registry = await startRegistry()
    const { code, stderr } = await regctl('push', path, `${registry.host}/x`, '--platform', 'linux/s390x')
    expect(code).toBe(3)
    expect(stderr).toBe(
      `error: ${path} has no image for linux/s390x\nhint: It has linux/amd64, linux/arm64, linux/arm/v7\n`,
    )
    const wrong = await regctl('push', path, `${registry.host}/x`, '--platform', 'linux/')
    expect(wrong.code).toBe(2)
  })

  it.each(['docker28c-multi.tar', 'buildkit-oci-multi-attest.tar'])(
    'leaves out what %s lacks with a warning, and refuses that with --strict',
    async source => {
      await using folder = await temporaryFolder()
      await using registry = await startRegistry()
      const { host } = registry
      const files = await readTar(imagePath(source))
      const blobFile = (digest: string) => `blobs/${digest.replace(':', '/')}`
      const root = expectedOf(source).oci?.roots[0]?.digest ?? ''
      const index = JSON.parse(`${files.get(blobFile(root))}`) as {
        manifests: { digest: string; platform: { architecture: string } }[]
      }
      const arm = index.manifests.find(({ platform }) => platform.architecture === 'arm64')?.digest ?? ''
      files.delete(blobFile(arm))
      const sparse = join(folder.path, 'sparse.tar')
      await writeTar(sparse, files)
      const image = ['--image', `@${root}`]

      const strict = await regctl('push', sparse, `${host}/x:strict`, '--strict', ...image)
      expect(strict.code).toBe(6)
      expect(strict.stderr).toContain(`names linux/arm64 ${arm}`)
      expect(await registry.manifest('x', 'strict')).toBeUndefined()

      const pushed = await regctl('push', sparse, `${host}/x:1`, ...image)
      expect(pushed.code).toBe(0)
      expect(pushed.stderr.match(/^warning: .*$/gm)).toEqual([
        `warning: the index names linux/arm64 ${arm}, of which not everything is in ${sparse}: it is left out, and the index gets another digest`,
      ])
      const stored = await registry.manifest('x', '1')
      expect(stored?.digest).not.toBe(root)
      const kept = index.manifests.map(({ digest }) => digest).filter(digest => digest !== arm)
      expect(stored?.document.manifests?.map(({ digest }) => digest)).toEqual(kept)
    },
  )
})
