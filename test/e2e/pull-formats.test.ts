import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import { type BuiltImage, buildImage, writeLayout } from '../support/image-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { pushImage } from './pull-fixtures.js'
import { readTar } from './tar-files.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const SHARED = { seed: 9, size: 40_000 }
const pathOf = (digest: string) => `blobs/${digest.replace(':', '/')}`

describe('what regctl pull writes', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  const at = (name: string) => join(folder.path, name)

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startRegistry()
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  describe('with --uncompressed', () => {
    let names: [string, string]
    let images: [BuiltImage, BuiltImage]

    beforeAll(async () => {
      names = [`${registry.host}/plain:1`, `${registry.host}/plain/docker:1`]
      images = [
        await pushImage(folder.path, { layers: [SHARED, { a: 'a\n' }] }, names[0]),
        await pushImage(folder.path, { layers: [SHARED, { b: 'b\n' }], docker: true }, names[1]),
      ]
    })

    it('has plain layers in both faces, the same IDs, and says that the digests are others', async () => {
      const before = registry.requests().length
      const pulled = await regctl('pull', ...names, at('plain.tar'), '--uncompressed', '--json')
      expect(pulled.code).toBe(0)
      expect(schemaErrors('pull', pulled.stdout)).toEqual([])
      const shared = images[0].layers[0]?.digest ?? ''
      const reads = registry.requests().slice(before)
      expect(reads.filter(line => line.endsWith(shared))).toHaveLength(1)

      const files = await readTar(at('plain.tar'))
      const types = [MediaType.ociLayer, MediaType.dockerLayer]
      const written: string[] = []
      for (const [at, { config, layers, diffIDs, blobs, manifest }] of images.entries()) {
        const document = JSON.parse(pulled.stdout).images[at]
        expect(document).toMatchObject({ ...manifest.descriptor, blobs: { skipped: 0 } })
        written.push(document.writtenDigest)
        const made = JSON.parse(`${files.get(pathOf(document.writtenDigest))}`)
        expect(made).toMatchObject({
          config: { digest: config.digest },
          mediaType: manifest.descriptor.mediaType,
        })
        expect(made.layers).toMatchObject(diffIDs.map(digest => ({ digest, mediaType: types[at] })))
        for (const [position, diffID] of diffIDs.entries()) {
          const stored = blobs.get(layers[position]?.digest ?? diffID) ?? Buffer.alloc(0)
          expect(files.get(pathOf(diffID))?.equals(gunzipSync(stored))).toBe(true)
        }
        expect(pulled.stderr).toContain(
          `warning: with plain layers, ${names[at]?.replace(/:1$/, '')}@${manifest.descriptor.digest} has the manifest ${document.writtenDigest} in ${join(folder.path, 'plain.tar')}; its image ID stays\n`,
        )
      }
      const manifestJson = JSON.parse(`${files.get('manifest.json')}`) as {
        Config: string
        Layers: string[]
      }[]
      expect(manifestJson).toEqual(
        images
          .map(({ config, diffIDs }, at) => ({
            Config: pathOf(config.digest),
            RepoTags: [names[at]],
            Layers: diffIDs.map(pathOf),
          }))
          .sort((one, other) => ((one.RepoTags[0] ?? '') < (other.RepoTags[0] ?? '') ? -1 : 1)),
      )
      const blobs = [...files.keys()].filter(name => name.startsWith('blobs/'))
      expect(blobs).toHaveLength(3 + 2 + 2)
      expect(written.every(digest => files.has(pathOf(digest)))).toBe(true)
    })

    it('shows the download as that of the compressed layers, and gives the same bytes again', async () => {
      const pulled = await regctl('pull', ...names, at('again.tar'), '--uncompressed')
      expect(pulled.code).toBe(0)
      for (const { layers, manifest } of images) {
        expect(pulled.stdout).toContain(`Digest: ${manifest.descriptor.digest}\n`)
        for (const { digest } of layers)
          expect(pulled.stdout).toContain(`${digest.slice(7, 19)}: Pulling fs layer\n`)
      }
      expect(pulled.stdout.match(/: Download complete$/gm)).toHaveLength(3)
      expect(pulled.stdout.match(/: Already exists$/gm)).toHaveLength(1)
      expect((await readFile(at('again.tar'))).equals(await readFile(at('plain.tar')))).toBe(true)
    })

    it('is for a docker-archive only', async () => {
      const refused = await regctl('pull', names[0], at('plain'), '--uncompressed')
      expect(refused).toMatchObject({ code: 2, stdout: '' })
      expect(refused.stderr).toBe(
        `error: layers are made plain in a docker-archive only, and ${at('plain')} is oci\nhint: Leave out \`--uncompressed\`: OCI formats keep the bytes of the registry\n`,
      )
    })

    it('makes plain what has no compressed layers already, and warns of nothing', async () => {
      const name = `${registry.host}/plain:already`
      await pushImage(folder.path, { layers: [{ p: 'plain\n' }], compression: 'none' }, name)
      const pulled = await regctl('pull', name, at('already.tar'), '--uncompressed', '--json')
      expect(pulled).toMatchObject({ code: 0, stderr: '' })
      expect(JSON.parse(pulled.stdout).images[0]).not.toHaveProperty('writtenDigest')
    })
  })

  describe('of an image with a foreign layer (R172)', () => {
    let name: string
    let digest: string
    let foreign: string

    beforeAll(async () => {
      const image = await buildImage({ docker: true })
      const bytes = Buffer.from('bytes that are nowhere')
      foreign = digestOf(bytes)
      const layer = {
        mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
        digest: foreign,
        size: bytes.length,
        urls: ['https://example.org/layer'],
      }
      const document = JSON.parse(`${Buffer.from(image.manifest.bytes)}`)
      const manifest = rawManifest(
        MediaType.dockerManifest,
        Buffer.from(JSON.stringify({ ...document, layers: [layer, ...document.layers] })),
      )
      digest = manifest.descriptor.digest
      name = `${registry.host}/windows:1`
      await writeLayout(at('foreign'), [{ manifest, tag: '1' }], image.blobs)
      expect((await regctl('push', at('foreign'), name)).code).toBe(0)
    })

    it('does without it in the OCI formats, and says so', async () => {
      for (const format of ['oci', 'oci-archive']) {
        const pulled = await regctl('pull', name, at(`foreign-${format}`), '--format', format)
        expect(pulled).toMatchObject({ code: 0, stderr: '' })
        expect(pulled.stdout).toContain(`${foreign.slice(7, 19)}: Skipped foreign layer\n`)
        expect(pulled.stdout).toContain(`Digest: ${digest}\n`)
      }
    })

    it('is no docker-archive, which needs every layer (R189)', async () => {
      const before = registry.requests().length
      const refused = await regctl('pull', name, at('foreign.tar'))
      expect(refused).toMatchObject({ code: 1, stdout: '' })
      expect(refused.stderr).toBe(
        `error: ${digest} has the foreign layer ${foreign}, which may not be distributed, and a docker-archive needs every layer\nhint: Write an OCI archive, which does without it: \`--format oci-archive\`\n`,
      )
      expect(
        registry
          .requests()
          .slice(before)
          .filter(line => line.includes('/blobs/')),
      ).toEqual([])
      expect(await readdir(folder.path)).not.toContain('foreign.tar')
    })
  })

  describe('with --referrers', () => {
    it('has what refers to the image, in the OCI formats', async () => {
      const name = `${registry.host}/signed:1`
      const image = await pushImage(folder.path, {}, name)
      const signature = await pushImage(
        folder.path,
        { subject: image.manifest.descriptor, artifactType: 'application/vnd.example.signature' },
        `${registry.host}/signed:signature`,
      )
      const { digest } = signature.manifest.descriptor
      const pulled = await regctl(
        'pull',
        name,
        at('signed.tar'),
        '--referrers',
        '--format',
        'oci-archive',
        '--json',
      )
      expect(pulled).toMatchObject({ code: 0, stderr: '' })
      expect(schemaErrors('pull', pulled.stdout)).toEqual([])
      expect(JSON.parse(pulled.stdout).images[0]).toMatchObject({
        ...image.manifest.descriptor,
        referrers: 1,
      })
      expect((await readTar(at('signed.tar'))).has(pathOf(digest))).toBe(true)
      await regctl('pull', name, at('unsigned.tar'), '--format', 'oci-archive')
      expect((await readTar(at('unsigned.tar'))).has(pathOf(digest))).toBe(false)
      for (const format of ['docker-archive', 'dir']) {
        const refused = await regctl('pull', name, at('refused'), '--referrers', '--format', format)
        expect(refused.code).toBe(2)
        expect(refused.stderr).toContain(`error: the ${format} format has no room for referrers\n`)
      }
    })
  })

  it('is what the digest says where a tag is named with it, unless --check-tag refuses', async () => {
    const name = `${registry.host}/moved:1`
    const old = await pushImage(folder.path, { layers: [{ o: 'old\n' }] }, name)
    const { digest } = old.manifest.descriptor
    await pushImage(folder.path, { layers: [{ n: 'new\n' }] }, name)
    const pulled = await regctl('pull', `${name}@${digest}`, at('moved.tar'), '--quiet')
    expect(pulled).toMatchObject({ code: 0, stdout: `${registry.host}/moved@${digest}\n` })
    expect(pulled.stderr).toMatch(
      /^warning: .*\/moved:1 is sha256:[0-9a-f]{64} by now, not .*: the digest counts\n$/,
    )
    const [entry] = JSON.parse(`${(await readTar(at('moved.tar'))).get('manifest.json')}`)
    expect(entry.RepoTags).toEqual([name])
    const refused = await regctl('pull', `${name}@${digest}`, at('checked.tar'), '--check-tag')
    expect(refused.code).toBe(1)
    expect(await readdir(folder.path)).not.toContain('checked.tar')
  })
})
