import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { buildImage, buildIndex, writeLayout } from '../support/image-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { hardLink, member, tarOf, writeRawImage } from '../support/raw-layers.js'
import { regctl, regctlWith, run } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const LAYERS = [
  { 'etc/motd': 'old\n', 'etc/gone': 'x', 'usr/data.tar': 'no tar', 'usr/old': 'x' },
  { 'etc/motd': 'new\n', 'etc/.wh.gone': '', 'usr/.wh..wh..opq': '', 'usr/new': 'y' },
]

describe('export', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  let image: string
  const at = (name: string) => join(folder.path, name)
  const names = async (tar: string | Buffer) => {
    const input = typeof tar === 'string' ? await readFile(tar) : tar
    return (await run('tar', ['-t'], { stdin: input })).stdout.split('\n').slice(0, -1)
  }

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startRegistry()
    image = at('image.tar')
    await writeDockerArchive(image, [{ layers: LAYERS, repoTags: ['acme/app:1'] }])
    expect((await regctl('push', image, `${registry.host}/app:1`)).code).toBe(0)
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('writes the flattened root file system to a file, the same from an archive and from a registry', async () => {
    const outputs: Buffer[] = []
    for (const [position, locator] of [image, `${registry.host}/app:1`].entries()) {
      const out = at(`out${position}.tar`)
      const { code, stdout, stderr } = await regctl('export', locator, out, '--json')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(schemaErrors('export', stdout)).toEqual([])
      const bytes = await readFile(out)
      outputs.push(bytes)
      expect(JSON.parse(stdout)).toEqual({
        file: out,
        size: bytes.length,
        digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
        entries: 4,
        platform: { os: 'linux', architecture: 'amd64' },
      })
    }
    expect(outputs[0]).toEqual(outputs[1])
    expect(await names(at('out0.tar'))).toEqual(['etc/', 'etc/motd', 'usr/', 'usr/new'])
  })

  it('writes to standard output what it writes to a file, and nothing else', async () => {
    await regctl('export', image, '-o', at('stdout.tar'))
    for (const parameters of [[image], [image, '-']]) {
      const { code, stdoutBytes, stderr } = await regctl('export', ...parameters)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdoutBytes).toEqual(await readFile(at('stdout.tar')))
    }
  })

  it('takes ./NAME for a file to write, and compresses one that ends in .tgz', async () => {
    await using cwd = await temporaryFolder()
    expect(await regctlWith({ cwd: cwd.path }, 'export', image, './rootfs')).toMatchObject({
      code: 0,
      stdout: '',
    })
    expect(await regctlWith({ cwd: cwd.path }, 'export', image, 'rootfs.tgz')).toMatchObject({ code: 0 })
    const plain = await readFile(join(cwd.path, 'rootfs'))
    expect(gunzipSync(await readFile(join(cwd.path, 'rootfs.tgz')))).toEqual(plain)
    expect((await readdir(cwd.path)).sort()).toEqual(['rootfs', 'rootfs.tgz'])
  })

  it('gives one file, to standard output or to a file', async () => {
    for (const path of ['etc/motd', '/etc/motd', 'etc/../etc/motd']) {
      expect(await regctl('export', image, path)).toMatchObject({ code: 0, stdout: 'new\n', stderr: '' })
    }
    const { code, stdout } = await regctl('export', image, 'etc/motd', at('motd'), '--json')
    expect(code).toBe(0)
    expect(schemaErrors('export', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject({ file: at('motd'), size: 4, path: 'etc/motd' })
    expect(await readFile(at('motd'), 'utf8')).toBe('new\n')
  })

  it('gives a folder as a tar that begins with its name', async () => {
    const { code, stdoutBytes } = await regctl('export', image, 'etc')
    expect(code).toBe(0)
    expect(await names(stdoutBytes)).toEqual(['etc/', 'etc/motd'])
  })

  it('does not find what is not in the image, and says how to name a file to write', async () => {
    for (const path of ['etc/gone', 'usr/old', 'rootfs']) {
      const { code, stdout, stderr } = await regctl('export', image, path)
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
      expect(stderr).toBe(
        `error: there is no ${path} in the image of ${image}\n` +
          'hint: To export the whole image to a file, write it as `./NAME` or `--output NAME`\n',
      )
    }
  })

  it("takes this machine's image of an index, or that of a platform", async () => {
    const platforms = ['amd64', 'arm64', 's390x'].map(architecture => ({ os: 'linux', architecture }))
    const images = await Promise.all(
      platforms.map(platform => buildImage({ platform, layers: [{ arch: platform.architecture }] })),
    )
    const index = buildIndex(
      images.flatMap(({ manifest }, position) =>
        platforms.slice(position, position + 1).map(platform => ({ manifest, platform })),
      ),
    )
    const blobs = new Map(images.flatMap(({ blobs }) => [...blobs]))
    const manifests = images.map(({ manifest }) => manifest)
    await writeLayout(at('layout'), [{ manifest: index, tag: '1' }], blobs, manifests)
    const host = process.arch === 'arm64' ? 'arm64' : 'amd64'
    expect((await regctl('export', at('layout'), 'arch')).stdout).toBe(host)
    expect((await regctl('export', at('layout'), 'arch', '--platform', 'linux/s390x')).stdout).toBe('s390x')
    expect((await regctl('export', image, 'etc/motd', '--platform', 'linux/arm64')).code).toBe(3)
  })

  it('refuses what makes no sense', async () => {
    const json = await regctl('export', image, '--json')
    expect(json.code).toBe(2)
    expect(schemaErrors('error', json.stdout)).toEqual([])
    expect((await regctl('export', image, 'etc', at('a'), '-o', at('b'))).code).toBe(2)
    const into = await regctl('export', image, '-o', folder.path)
    expect(into).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`error: ${folder.path} is a folder\n`),
    })
  })

  it('says of an artifact that it has no file system', async () => {
    const notes = Buffer.from('some notes')
    const describe = (mediaType: string, bytes: Buffer) => ({
      mediaType,
      digest: digestOf(bytes),
      size: bytes.length,
    })
    const empty = Buffer.from('{}')
    const document = {
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      artifactType: 'application/vnd.acme.notes',
      config: describe(MediaType.ociEmpty, empty),
      layers: [describe('text/plain', notes)],
    }
    const manifest = rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
    const blobs = new Map([empty, notes].map(bytes => [digestOf(bytes), bytes]))
    await writeLayout(at('artifact'), [{ manifest, tag: '1' }], blobs)
    const { code, stderr } = await regctl('export', at('artifact'), at('artifact.tar'))
    expect(code).toBe(2)
    expect(stderr).toContain('holds an artifact (application/vnd.acme.notes), which has no file system\n')
    expect(stderr).toContain('hint: Read its blobs with `regctl blob`\n')
  })

  describe.each<[string, Buffer, string]>([
    ['leads out of the root', tarOf(member('../../etc/passwd')), 'which leads out of the root'],
    [
      'has a hard link out of the root',
      tarOf(hardLink('a', '../../etc/passwd')),
      'which leads out of the root',
    ],
    ['has a hard link to nothing', tarOf(hardLink('a', 'etc/none')), 'which is not there'],
    ['has a whiteout of ..', tarOf(member('etc/.wh...')), 'which names no file'],
    ['is no tar', Buffer.alloc(1024, 'x'), 'is not a valid tar at offset 0'],
    ['is cut off', member('a', { body: 'x'.repeat(2000) }).subarray(0, 1024), 'is not all there'],
  ])('of a layer that %s', (_, layer, message) => {
    it('fails with exit code 6 and leaves no file', async () => {
      await using cwd = await temporaryFolder()
      await writeRawImage(cwd.path, 'bad', [layer])
      const { code, stdout, stderr } = await regctlWith({ cwd: cwd.path }, 'export', './bad', 'out.tar')
      expect({ code, stdout }).toEqual({ code: 6, stdout: '' })
      expect(stderr).toMatch(/^error: [^\n]+\n(?:hint: [^\n]+\n)?$/)
      expect(stderr).toContain(message)
      expect(await readdir(cwd.path)).toEqual(['bad'])
    })
  })
})
