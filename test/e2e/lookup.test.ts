import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type BuiltImage, buildImage, buildIndex, writeLayout } from '../support/image-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const PLATFORMS = ['amd64', 'arm64', 's390x'].map(architecture => ({ os: 'linux', architecture }))

describe('looking things up', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  let images: BuiltImage[]
  let index: Buffer
  /** The same index in each place. */
  let places: [name: string, locator: string][]
  const at = (name: string) => join(folder.path, name)

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startRegistry()
    images = await Promise.all(
      PLATFORMS.map(platform => buildImage({ platform, layers: [{ a: 'a' }, { b: platform.architecture }] })),
    )
    const root = buildIndex(
      images.map(
        ({ manifest }, position) => ({ manifest, platform: PLATFORMS[position] ?? PLATFORMS[0] }) as never,
      ),
    )
    index = Buffer.from(root.bytes)
    const blobs = new Map(images.flatMap(image => [...image.blobs]))
    await writeLayout(
      at('layout'),
      [{ manifest: root, tag: '1' }],
      blobs,
      images.map(({ manifest }) => manifest),
    )
    await writeDockerArchive(at('image.tar'), [
      { layers: [{ a: 'a\n' }], repoTags: ['acme/first:v1', 'localhost:5000/second:v2'] },
      { layers: [{ b: 'b\n' }] },
    ])
    const pushed = await regctl('push', at('layout'), `${registry.host}/app:1`)
    expect(pushed).toMatchObject({ code: 0, stderr: '' })
    places = [
      ['a registry', `${registry.host}/app:1`],
      ['a layout', `oci:${at('layout')}:1`],
    ]
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  describe('manifest', () => {
    it('gives the exact bytes, of an index and of one platform, wherever they are', async () => {
      for (const [, locator] of places) {
        const whole = await regctl('manifest', locator)
        expect(whole).toMatchObject({ code: 0, stderr: '' })
        expect(whole.stdoutBytes).toEqual(index)
        const one = await regctl('manifest', locator, '--platform', 's390x')
        expect(one.stdoutBytes).toEqual(Buffer.from(images[2]?.manifest.bytes ?? []))
      }
    })

    it('is that of a push for a docker-archive', async () => {
      const { stdoutBytes } = await regctl('manifest', at('image.tar'), '--image', 'acme/first:v1')
      const { stdout } = await regctl('digest', at('image.tar'), '--image', 'acme/first:v1')
      expect(`${digestOf(stdoutBytes)}\n`).toBe(stdout)
    })

    it('comes parsed in JSON, with its descriptor', async () => {
      const { stdout } = await regctl('manifest', `${registry.host}/app:1`, '--json')
      expect(schemaErrors('manifest', stdout)).toEqual([])
      expect(JSON.parse(stdout)).toMatchObject({ digest: digestOf(index), manifest: JSON.parse(`${index}`) })
    })
  })

  describe('config', () => {
    it('gives the exact bytes, for this machine or the platform asked for', async () => {
      const host = process.arch === 'arm64' ? 1 : 0
      for (const [, locator] of places) {
        const own = await regctl('config', locator)
        expect(own).toMatchObject({ code: 0, stderr: '' })
        expect(own.stdoutBytes).toEqual(images[host]?.blobs.get(images[host].config.digest))
        const other = await regctl('config', locator, '--platform', 'linux/s390x')
        expect(JSON.parse(other.stdout)).toMatchObject({ architecture: 's390x' })
      }
    })

    it('comes parsed in JSON, of a docker-archive too', async () => {
      for (const locator of [`${registry.host}/app:1`, at('image.tar')]) {
        const { code, stdout } = await regctl('config', locator, '--json', '--image', '#1')
        expect(code).toBe(0)
        expect(schemaErrors('config', stdout)).toEqual([])
        expect(JSON.parse(stdout)).toMatchObject({ config: { rootfs: { type: 'layers' } } })
      }
    })
  })

  describe('digest', () => {
    it('asks a registry by HEAD alone, since pulls are counted (R196)', async () => {
      const before = registry.requests().length
      const { stdout } = await regctl('digest', `${registry.host}/app:1`)
      expect(stdout).toBe(`${digestOf(index)}\n`)
      const asked = registry.requests().slice(before)
      expect(asked.filter(line => line.includes('/manifests/'))).toEqual(['HEAD /v2/app/manifests/1'])
    })

    it('gives that of one platform', async () => {
      for (const [, locator] of places) {
        const { stdout } = await regctl('digest', locator, '--platform', 'arm64')
        expect(stdout).toBe(`${images[1]?.manifest.descriptor.digest}\n`)
      }
    })

    it('says what is not there', async () => {
      const { code, stderr } = await regctl('digest', `${registry.host}/app:none`)
      expect(code).toBe(3)
      expect(stderr).toMatch(/^error: .*app:none/)
    })

    it('refuses a tag that has moved with --check-tag', async () => {
      const other = images[0]?.manifest.descriptor.digest
      const { code, stderr } = await regctl('digest', `${registry.host}/app:1@${other}`, '--check-tag')
      expect(code).toBe(1)
      expect(stderr).toBe(`error: ${registry.host}/app:1 is ${digestOf(index)} by now, not ${other}\n`)
    })
  })

  describe('blob', () => {
    it('gives the checked bytes, whichever way its digest is written', async () => {
      const layer = images[0]?.layers[1]
      const bytes = images[0]?.blobs.get(layer?.digest ?? ('' as never))
      for (const place of [`${registry.host}/app`, `oci:${at('layout')}`, at('layout')]) {
        const piped = await regctl('blob', `${place}@${layer?.digest}`)
        expect(piped).toMatchObject({ code: 0, stderr: '' })
        expect(piped.stdoutBytes).toEqual(bytes)
        const file = at(`layer-${places.length}.tar.gz`)
        const written = await regctl('blob', place, layer?.digest ?? '', file, '--json')
        expect(schemaErrors('blob', written.stdout)).toEqual([])
        expect(JSON.parse(written.stdout)).toEqual({ digest: layer?.digest, size: bytes?.length, file })
        expect(await readFile(file)).toEqual(bytes)
      }
    })

    it('of a docker-archive is as a push sends it', async () => {
      const { stdout } = await regctl('manifest', at('image.tar'), '--image', '#2')
      const [{ digest }] = JSON.parse(stdout).layers
      const { stdoutBytes } = await regctl('blob', at('image.tar'), digest)
      expect(digestOf(stdoutBytes)).toBe(digest)
    })

    it('tells its size without being read', async () => {
      const config = images[0]?.config
      const before = registry.requests().length
      const { stdout } = await regctl('blob', `${registry.host}/app@${config?.digest}`, '--head')
      expect(stdout).toBe(`${config?.size}\n`)
      expect(
        registry
          .requests()
          .slice(before)
          .filter(line => line.startsWith('GET /v2/app')),
      ).toEqual([])
      const json = await regctl('blob', `${registry.host}/app@${config?.digest}`, '--head', '--json')
      expect(JSON.parse(json.stdout)).toEqual({ digest: config?.digest, size: config?.size })
    })

    it('that is broken leaves no file, and is told on standard output', async () => {
      const layer = images[0]?.layers[0]
      const path = at('broken')
      await cp(at('layout'), path, { recursive: true })
      const blob = join(path, 'blobs/sha256', layer?.digest.slice(7) ?? '')
      const bytes = await readFile(blob)
      await writeFile(blob, bytes.fill(0, 0, 5))
      const file = at('out/broken.bin')
      for (const output of [[], [file]]) {
        const { code, stderr } = await regctl('blob', path, layer?.digest ?? '', ...output)
        expect(code).toBe(6)
        expect(stderr).toMatch(/^error: blob sha256:[0-9a-f]+ of .*broken.* digest/)
      }
      expect(await readdir(at('out'))).toEqual([])
    })

    it.each([
      [
        'nowhere',
        ['sha256:'.padEnd(71, '0')],
        3,
        /there is no blob sha256:0+ in .*\nhint: .*`regctl manifest`/,
      ],
      ['without a digest', [], 2, /the digest of the blob is missing\nhint: /],
      ['with half a digest', ['sha256:12'], 2, /DIGEST: "sha256:12" is not a digest/],
    ])('is refused %s', async (_, rest, expected, message) => {
      const { code, stdout, stderr } = await regctl('blob', `${registry.host}/app`, ...rest)
      expect({ code, stdout }).toEqual({ code: expected, stdout: '' })
      expect(stderr).toMatch(message)
    })
  })

  describe('images', () => {
    it('prints the table of docker images', async () => {
      const { code, stdout, stderr } = await regctl('images', at('image.tar'))
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const lines = stdout.split('\n').map(line => line.replace(/[0-9a-f]{12}/, 'ID'))
      expect(lines.map(line => line.split(/ {2,}/))).toEqual([
        ['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE'],
        ['acme/first', 'v1', 'ID', 'N/A', '2.05kB'],
        ['localhost:5000/second', 'v2', 'ID', 'N/A', '2.05kB'],
        ['<none>', '<none>', 'ID', 'N/A', '2.05kB'],
        [''],
      ])
    })

    it('prints IDs alone, and in full', async () => {
      const config = digestOf((await regctl('config', at('image.tar'), '--image', '#2')).stdoutBytes)
      const short = await regctl('images', at('image.tar'), '--quiet')
      expect(short.stdout.split('\n')[1]).toBe(config.slice(7, 19))
      const full = await regctl('images', at('image.tar'), '-q', '--no-trunc')
      expect(full.stdout.split('\n')[1]).toBe(config)
    })

    it('has one row for an index, with its digest, and its platforms in JSON', async () => {
      const { stdout } = await regctl('images', at('layout'), '--digests')
      expect(stdout).toContain(`<none>       1         ${digestOf(index)}   ${digestOf(index).slice(7, 19)} `)
      const json = await regctl('images', at('layout'), '--json')
      expect(schemaErrors('images', json.stdout)).toEqual([])
      expect(JSON.parse(json.stdout)).toMatchObject({
        format: 'oci-layout',
        images: [{ names: ['1'], digest: digestOf(index), platforms: PLATFORMS }],
      })
    })

    it('lists what it can read of a file in which an image is broken', async () => {
      const path = at('partly')
      await cp(at('layout'), path, { recursive: true })
      await regctl('tag', `oci:${path}:1`, '2')
      const { digest = '' } = images[0]?.config ?? {}
      await writeFile(join(path, 'blobs/sha256', digest.slice(7)), 'broken')
      const { code, stdout, stderr } = await regctl('images', path)
      expect(code).toBe(0)
      expect(stdout.match(/\n/g)).toHaveLength(3)
      expect(stderr).toMatch(/^warning: blob sha256:[0-9a-f]+ in .* should have \d+ bytes but has 6\n/)
      expect(schemaErrors('images', (await regctl('images', path, '--json')).stdout)).toEqual([])
    })

    it('refuses what is in a registry', async () => {
      const { code, stderr } = await regctl('images', `docker://${registry.host}/app:1`)
      expect(code).toBe(2)
      expect(stderr).toMatch(/is in a registry/)
    })
  })
})
