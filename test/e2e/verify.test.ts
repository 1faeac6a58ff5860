import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Digest, digestOf, hexOf } from '../../src/content/digest.js'
import { rawManifest } from '../../src/content/manifest.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { startDockerRegistry } from '../support/docker-registry.js'
import { type BuiltImage, buildImage, buildIndex, writeLayout } from '../support/image-builder.js'
import { imagePath, missingImages } from '../support/images.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl } from '../support/run.js'
import { answer, startScripted } from '../support/scripted-server.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { startRegistry } from './test-registry.js'

const AMD = { os: 'linux', architecture: 'amd64' }
const ARM = { os: 'linux', architecture: 'arm64' }

let folder: TemporaryFolder
let amd: BuiltImage
let arm: BuiltImage

beforeAll(async () => {
  folder = await temporaryFolder()
  amd = await buildImage({ platform: AMD, layers: [{ a: 'both\n' }, { seed: 3, size: 40_000 }] })
  arm = await buildImage({ platform: ARM, layers: [{ a: 'both\n' }, { b: 'arm\n' }] })
})

afterAll(async () => {
  await folder[Symbol.asyncDispose]()
})

/** A layout with the two platforms under the tag `1.0`. */
async function layout(name: string): Promise<{ path: string; blob: (digest: Digest | undefined) => string }> {
  const path = join(folder.path, name)
  const index = buildIndex([
    { manifest: amd.manifest, platform: AMD },
    { manifest: arm.manifest, platform: ARM },
  ])
  const blobs = new Map([...amd.blobs, ...arm.blobs])
  await writeLayout(path, [{ manifest: index, tag: '1.0' }], blobs, [amd.manifest, arm.manifest])
  return { path, blob: digest => join(path, 'blobs/sha256', digest === undefined ? '' : hexOf(digest)) }
}

/** Flips one bit in the middle. */
async function flip(path: string): Promise<void> {
  const bytes = await readFile(path)
  const middle = Math.floor(bytes.length / 2)
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle)
  await writeFile(path, bytes)
}

describe('verify', () => {
  it('finds a whole image whole, and counts what is shared once', async () => {
    const { path } = await layout('whole')
    const quick = await regctl('verify', path)
    expect(quick).toMatchObject({ code: 0, stderr: '' })
    expect(quick.stdout).toMatch(/^ok: 3 manifests, 5 blobs, [\d.]+kB\n$/)
    const full = await regctl('verify', `oci:${path}:1.0`, '--full', '--jobs', '2', '--progress', 'plain')
    expect(full).toMatchObject({ code: 0, stdout: quick.stdout })
    expect(full.stderr.match(/^checked sha256:/gm)).toHaveLength(5)
    const one = await regctl('verify', path, '--platform', 'linux/arm64', '--json')
    expect(schemaErrors('verify', one.stdout)).toEqual([])
    expect(JSON.parse(one.stdout)).toMatchObject({ manifests: 1, blobs: 3, problems: 0, findings: [] })
  })

  it('names every blob that is missing or has the wrong size, and its place', async () => {
    const { path, blob } = await layout('damaged')
    const [first, second] = [amd.layers[1], arm.layers[1]]
    await rm(blob(first?.digest))
    await truncate(blob(second?.digest), 10)
    const { code, stdout, stderr } = await regctl('verify', path)
    expect({ code, stderr }).toEqual({ code: 6, stderr: '' })
    const lines = stdout.trimEnd().split('\n')
    expect(lines.slice(0, 2).sort()).toEqual([
      expect.stringMatching(
        /^blob sha256:\S+ of \S+ should have \d+ bytes but has 10 \(layer 2 of linux\/arm64, \d+B\)$/,
      ),
      expect.stringMatching(
        new RegExp(`^missing blob ${first?.digest} \\(layer 2 of linux/amd64, [\\d.]+kB\\)$`),
      ),
    ])
    expect(lines[2]).toBe('2 problems')
    const json = await regctl('verify', path, '--json')
    expect(json).toMatchObject({ code: 6, stderr: '' })
    expect(schemaErrors('verify', json.stdout)).toEqual([])
    expect(
      JSON.parse(json.stdout)
        .findings.map(({ code }: { code: string }) => code)
        .sort(),
    ).toEqual(['missing-blob', 'size-mismatch'])
  })

  it('finds a flipped bit only with --full, and by its digest', async () => {
    const { path, blob } = await layout('flipped')
    await flip(blob(amd.layers[1]?.digest))
    expect((await regctl('verify', path)).code).toBe(0)
    const full = await regctl('verify', path, '--full')
    expect(full.code).toBe(6)
    expect(full.stdout).toMatch(/^blob sha256:\S+ of \S+ should have the digest .*\(layer 2 of linux\/amd64/)
    expect(full.stdout).toMatch(/\n1 problem\n$/)
  })

  it('finds layers that are not what the config says once uncompressed (R174)', async () => {
    const [tar] = [...amd.blobs.values()].slice(0, 1)
    const other = gzipSync(Buffer.concat([gunzipSync(tar ?? ''), Buffer.alloc(512)]))
    const document = JSON.parse(`${Buffer.from(amd.manifest.bytes)}`)
    document.layers[0] = { ...document.layers[0], digest: digestOf(other), size: other.length }
    const manifest = rawManifest(amd.manifest.descriptor.mediaType, Buffer.from(JSON.stringify(document)))
    const path = join(folder.path, 'other-layer')
    await writeLayout(path, [{ manifest }], new Map([...amd.blobs, [digestOf(other), other]]))
    expect((await regctl('verify', path)).code).toBe(0)
    const full = await regctl('verify', path, '--full')
    expect(full.code).toBe(6)
    expect(full.stdout).toContain(`uncompressed, should have the digest ${amd.diffIDs[0]} but has`)
  })

  it('lets images of an index be absent only with --sparse', async () => {
    const { path, blob } = await layout('sparse')
    await rm(blob(arm.manifest.descriptor.digest))
    const strict = await regctl('verify', path)
    expect(strict.code).toBe(6)
    expect(strict.stdout).toMatch(/^missing manifest sha256:\S+ \(linux\/arm64, \d+B\)\n1 problem\n$/)
    const sparse = await regctl('verify', path, '--sparse')
    expect(sparse.code).toBe(0)
    expect(sparse.stdout).toMatch(/^ok: 2 manifests, 3 blobs/)
    expect(sparse.stderr).toMatch(/^note: sha256:\S+ is not there \(linux\/arm64, \d+B\)\n$/)
  })

  it('hashes the plain layers of a docker-archive, of all its images', async () => {
    const path = join(folder.path, 'two.tar')
    const shared = { a: 'shared\n' }
    await writeDockerArchive(path, [
      { layers: [shared, { b: 'one\n' }], repoTags: ['acme/one:1'] },
      { layers: [shared, { seed: 9, size: 30_000 }], repoTags: ['acme/two:2'] },
    ])
    expect((await regctl('verify', path, '--full')).stdout).toMatch(/^ok: 6 blobs, /)
    await flip(path)
    expect((await regctl('verify', path)).code).toBe(0)
    const full = await regctl('verify', path, '--full')
    expect(full.code).toBe(6)
    expect(full.stdout).toMatch(/^layer \S+ of \S+ should have the digest .*\(layer 2 of acme\/two:2, /)
    expect((await regctl('verify', path, '--full', '--image', 'acme/one:1')).code).toBe(0)
  })

  it('fails otherwise where the root or the registry is not there', async () => {
    await using registry = await startRegistry()
    const none = await regctl('verify', `${registry.host}/none:1`, '--json')
    expect(none.code).toBe(3)
    expect(schemaErrors('error', none.stdout)).toEqual([])
    const { path } = await layout('for-404')
    expect((await regctl('verify', `oci:${path}:none`)).code).toBe(3)
    expect((await regctl('verify', path, '--platform', 'linux/s390x')).code).toBe(3)
  })

  it.skipIf(missingImages() !== undefined)(
    'looks at what refers to an image too, with --referrers',
    async () => {
      const path = imagePath('cosign3-referrers')
      const json = await regctl('verify', path, '--image', '1', '--referrers', '--full', '--json')
      expect(JSON.parse(json.stdout)).toMatchObject({ manifests: 2, blobs: 5, problems: 0 })
      const alone = await regctl('verify', path, '--image', '1', '--json')
      expect(JSON.parse(alone.stdout)).toMatchObject({ manifests: 1, blobs: 3 })
    },
  )

  it('says when a registry answers neither HEAD nor with a size (R31)', async () => {
    const { descriptor, bytes } = amd.manifest
    await using server = await startScripted([
      [/^GET \/v2\/$/, answer(200)],
      [/\/manifests\//, answer(200, { 'content-type': descriptor.mediaType }, bytes)],
      [/^HEAD .*\/blobs\//, answer(405)],
      [
        /^GET .*\/blobs\//,
        (_request, response) => {
          response.writeHead(200)
          response.write('some')
          response.end()
        },
      ],
    ])
    const { code, stdout, stderr } = await regctl('verify', `${server.host}/app:1`)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ok: 1 manifest, 3 blobs, [\d.]+kB, 3 of unknown size\n$/)
    expect(stderr.match(/^note: sha256:\S+ is there, but the registry doesn't tell its size/gm)).toHaveLength(
      3,
    )
  })

  it('fails as any command does where it may not look', async () => {
    const { descriptor, bytes } = amd.manifest
    await using server = await startScripted([
      [/^GET \/v2\/$/, answer(200)],
      [/\/manifests\//, answer(200, { 'content-type': descriptor.mediaType }, bytes)],
      [/\/blobs\//, answer(403)],
    ])
    for (const flags of [[], ['--full']]) {
      const { code, stdout, stderr } = await regctl('verify', `${server.host}/app:1`, ...flags)
      expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
      expect(stderr).toMatch(/^error: pull of blob /)
    }
  })

  it.skipIf(missingTool('docker-registry') !== undefined)(
    'finds what a registry has lost or cut off on its disk',
    async () => {
      await using registry = await startDockerRegistry()
      const { path } = await layout('pushed')
      const reference = `${registry.host}/app:1.0`
      expect((await regctl('push', path, reference)).code).toBe(0)
      expect((await regctl('verify', reference, '--full')).code).toBe(0)
      const fileOf = (digest: Digest | undefined) => {
        const hex = digest === undefined ? '' : hexOf(digest)
        return join(registry.storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data')
      }
      await rm(fileOf(arm.layers[1]?.digest))
      await truncate(fileOf(amd.layers[1]?.digest), 100)
      const { code, stdout } = await regctl('verify', reference)
      expect(code).toBe(6)
      expect(stdout).toContain(`missing blob ${arm.layers[1]?.digest} (layer 2 of linux/arm64, `)
      expect(stdout).toMatch(/should have \d+ bytes but has 100 \(layer 2 of linux\/amd64/)
      expect(stdout).toMatch(/\n2 problems\n$/)
    },
  )
})

describe('verify of two images', () => {
  it('takes an archive for the same as what was pushed of it', async () => {
    await using registry = await startRegistry()
    const path = join(folder.path, 'pushed.tar')
    const content = { layers: [{ a: 'a\n' }, { b: 'b\n' }], repoTags: ['acme/app:1'] }
    await writeDockerArchive(path, [content])
    const reference = `${registry.host}/app:1`
    expect((await regctl('push', path, reference)).code).toBe(0)
    const same = await regctl('verify', path, reference)
    expect(same).toMatchObject({ code: 0, stdout: 'the same image in another packaging: linux/amd64\n' })
    const identical = await regctl('verify', reference, `${registry.host}/app:1`, '--full', '--json')
    expect(identical.code).toBe(0)
    expect(schemaErrors('verify', identical.stdout)).toEqual([])
    expect(JSON.parse(identical.stdout)).toMatchObject({ result: 'identical', differences: [] })
  })

  it('tells how the same image is packaged in two ways, and finds it in an index', async () => {
    const plain = await buildImage({
      platform: AMD,
      layers: [{ a: 'both\n' }, { seed: 3, size: 40_000 }],
      compression: 'none',
      docker: true,
      annotations: { note: 'plain' },
    })
    const path = join(folder.path, 'plain')
    await writeLayout(path, [{ manifest: plain.manifest }], plain.blobs)
    const { path: both } = await layout('both')
    const { code, stdout, stderr } = await regctl('verify', path, both)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.split('\n').slice(1)).toEqual([
      `packaging: platforms: only ${both} has linux/arm64`,
      'packaging: linux/amd64: manifest type: application/vnd.docker.distribution.manifest.v2+json against application/vnd.oci.image.manifest.v1+json',
      expect.stringMatching(
        /^packaging: linux\/amd64: layers: layer 1: uncompressed of \d+ bytes against gzip of \d+ bytes$/,
      ),
      'packaging: linux/amd64: annotations: note',
      'the same image in another packaging: linux/amd64',
      '',
    ])
  })

  it('fails where they differ, and says where', async () => {
    const { path } = await layout('one-side')
    const changed = await buildImage({ platform: ARM, layers: [{ a: 'both\n' }, { b: 'other\n' }] })
    const other = join(folder.path, 'other-side')
    await writeLayout(other, [{ manifest: changed.manifest }], changed.blobs)
    const { code, stdout } = await regctl('verify', path, other)
    expect(code).toBe(6)
    expect(stdout).toMatch(/^linux\/arm64: config: sha256:\S+ against sha256:\S+ \(other rootfs\)$/m)
    expect(stdout).toContain(
      `linux/arm64: layers: layer 2 of 2: ${arm.diffIDs[1]} against ${changed.diffIDs[1]}\n`,
    )
    expect(stdout).toMatch(/\ndifferent images\n$/)
    const platforms = await regctl('verify', path, other, '--platform', 'linux/amd64')
    expect(platforms.code).toBe(3)
    const json = await regctl('verify', path, other, '--json')
    expect(schemaErrors('verify', json.stdout)).toEqual([])
    expect(JSON.parse(json.stdout)).toMatchObject({ locators: [path, other], result: 'different' })
  })
})
