import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDockerRegistry } from '../support/docker-registry.js'
import { type BuiltImage, buildImage, buildIndex, writeLayout } from '../support/image-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl } from '../support/run.js'
import { answer, startScripted } from '../support/scripted-server.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const AMD = { os: 'linux', architecture: 'amd64' }
const ARM = { os: 'linux', architecture: 'arm64' }

describe('tag', () => {
  let folder: TemporaryFolder
  let layout: string
  let images: BuiltImage[]
  /** An index of two platforms, under `1.0` in the layout. */
  let digest: string
  let size: number
  let other: string
  let registry: TestRegistry

  beforeAll(async () => {
    folder = await temporaryFolder()
    layout = join(folder.path, 'layout')
    images = [
      await buildImage({ platform: AMD }),
      await buildImage({ platform: ARM, layers: [{ b: 'b\n' }] }),
    ]
    const manifests = images.map(({ manifest }) => manifest)
    const index = buildIndex(manifests.map((manifest, at) => ({ manifest, platform: at === 0 ? AMD : ARM })))
    const [amd] = manifests
    if (amd === undefined) throw new Error('there is no image')
    digest = index.descriptor.digest
    size = index.descriptor.size
    other = amd.descriptor.digest
    const blobs = new Map(images.flatMap(image => [...image.blobs]))
    const roots = [
      { manifest: index, tag: '1.0' },
      { manifest: amd, tag: 'other' },
    ]
    await writeLayout(layout, roots, blobs, manifests)
  })

  beforeEach(async () => {
    registry = await startRegistry()
    await regctl('push', `oci:${layout}:1.0`, `${registry.host}/app:1.0`)
    await regctl('push', `oci:${layout}:other`, `${registry.host}/app:other`)
  })

  afterEach(() => registry[Symbol.asyncDispose]())
  afterAll(() => folder[Symbol.asyncDispose]())

  it('gives new tags in the same repository by one GET and one PUT each', async () => {
    const before = registry.requests().length
    const tagged = await regctl('tag', `${registry.host}/app:1.0`, '1.1', 'stable', `${registry.host}/app:x`)
    expect(tagged).toMatchObject({
      code: 0,
      stdout: ['1.1', 'stable', `${registry.host}/app:x`]
        .map(name => `${name}: digest: ${digest} size: ${size}\n`)
        .join(''),
      stderr: '',
    })
    const requests = registry.requests().slice(before)
    expect(requests.filter(line => line === 'GET /v2/app/manifests/1.0')).toHaveLength(1)
    expect(requests.filter(line => !/^(?:HEAD|GET) /.test(line))).toEqual([
      'PUT /v2/app/manifests/1.1',
      'PUT /v2/app/manifests/stable',
      'PUT /v2/app/manifests/x',
    ])
    for (const tag of ['1.1', 'stable', 'x'])
      expect((await registry.manifest('app', tag))?.digest).toBe(digest)
  })

  it('writes nothing where the tag is there already, and says so', async () => {
    const before = registry.writes().length
    const { code, stdout } = await regctl('tag', `${registry.host}/app@${digest}`, '1.0')
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `1.0: digest: ${digest} size: ${size} (unchanged)\n`,
    })
    expect(registry.writes().length).toBe(before)
  })

  it('moves a tag, unless it must not be overwritten', async () => {
    const { host } = registry
    const refused = await regctl('tag', `${host}/app:1.0`, 'other', 'new', '--no-overwrite')
    expect(refused).toMatchObject({
      code: 1,
      stdout: `new: digest: ${digest} size: ${size}\n`,
      stderr:
        `error: ${host}/app has the tag other already: it is ${other}\n` +
        'hint: Choose another tag, or leave out `--no-overwrite`\n',
    })
    expect((await registry.manifest('app', 'other'))?.digest).toBe(other)
    const document = await regctl('tag', `${host}/app:1.0`, 'other', '1.0', '--no-overwrite', '--json')
    expect(document).toMatchObject({ code: 1, stderr: '' })
    expect(schemaErrors('tag', document.stdout)).toEqual([])
    expect(JSON.parse(document.stdout).names).toMatchObject([
      { tag: 'other', state: 'failed', error: { code: 'tag-exists' } },
      { tag: '1.0', state: 'unchanged' },
    ])
    expect((await regctl('tag', `${host}/app:1.0`, 'other')).code).toBe(0)
    expect((await registry.manifest('app', 'other'))?.digest).toBe(digest)
  })

  it('writes nothing in a dry run', async () => {
    const before = registry.writes().length
    const { host } = registry
    const dry = await regctl('tag', `${host}/app:1.0`, 'new', `${host}/mirror/app`, '--dry-run', '--json')
    expect(schemaErrors('tag', dry.stdout)).toEqual([])
    expect(JSON.parse(dry.stdout)).toMatchObject({
      digest,
      dryRun: true,
      names: [
        { name: 'new', place: `${host}/app`, tag: 'new', state: 'tagged' },
        { place: `${host}/mirror/app`, tag: 'latest', state: 'tagged' },
      ],
    })
    const shown = await regctl('tag', `${host}/app:1.0`, 'new', '--dry-run')
    expect(shown.stdout).toBe(`new: digest: ${digest} size: ${size} (dry run)\n`)
    expect(registry.writes().length).toBe(before)
  })

  it('has an index mounted in another repository, with all its images', async () => {
    const { host } = registry
    const before = registry.requests().length
    const tagged = await regctl('tag', `${host}/app:1.0`, `${host}/mirror/app:2`, '--quiet')
    expect(tagged).toMatchObject({ code: 0, stdout: `${host}/mirror/app@${digest}\n`, stderr: '' })
    expect((await registry.manifest('mirror/app', '2'))?.digest).toBe(digest)
    const requests = registry.requests().slice(before)
    expect(requests.filter(line => /^(?:PUT|PATCH) .*blobs/.test(line))).toEqual([])
    for (const { layers } of images)
      for (const layer of layers)
        expect((await registry.blob('mirror/app', layer.digest)).length).toBe(layer.size)
  })

  it('R66: sends no bytes where the registry does not mount them', async () => {
    const image = await buildImage()
    await using server = await startScripted([
      [
        /^(?:GET|HEAD) \/v2\/app\/manifests/,
        answer(200, { 'content-type': image.manifest.descriptor.mediaType }, image.manifest.bytes),
      ],
      [
        /^GET \/v2\/app\/blobs/,
        ({ path }, response) => response.end(image.blobs.get(path.split('/').at(-1) as never)),
      ],
      [/^POST/, answer(202, { location: '/v2/mirror/blobs/uploads/1' })],
    ])
    const refused = await regctl('tag', `${server.host}/app:1`, `${server.host}/mirror:1`)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^error: .*\/mirror does not take sha256:.* bytes would have to be sent\n/)
    expect(refused.stderr).toContain(
      `hint: To send them, run \`regctl copy\` to ${server.host}/mirror instead\n`,
    )
    expect(server.lines().filter(line => /^PUT|^PATCH/.test(line))).toEqual([])
  })

  it.each([
    [
      'other.example/app:1',
      'is in another registry than',
      'To send it there, run `regctl copy` to other.example/app:1',
    ],
    ['a b', '"a b" is not a tag', 'A tag has letters'],
    [`HOST/app@sha256:${'a'.repeat(64)}`, 'is a digest, and no name that can be given', 'Name a tag'],
  ])('refuses %s as a new name', async (name, message, hint) => {
    const { host } = registry
    const before = registry.requests().length
    const refused = await regctl('tag', `${host}/app:1.0`, name.replace('HOST', host), 'fine')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain(message)
    expect(refused.stderr).toContain(`hint: ${hint}`)
    expect(registry.requests().length).toBe(before)
  })

  it('does not find what is not there', async () => {
    const { code, stderr } = await regctl('tag', `${registry.host}/app:none`, 'x')
    expect(code).toBe(3)
    expect(stderr).toContain('the manifest was not found')
  })

  it('gives names in a layout, and takes them from what had them', async () => {
    const copy = join(folder.path, 'copy')
    await regctl('copy', `oci:${layout}:1.0`, `oci:${copy}:1.0`)
    await regctl('copy', `oci:${layout}:other`, `oci:${copy}:other`)
    const tagged = await regctl('tag', `oci:${copy}:1.0`, 'stable', `oci:${copy}:other`)
    expect(tagged).toMatchObject({ code: 0, stderr: '' })
    expect((await regctl('tags', `oci:${copy}`)).stdout.split('\n').sort()).toEqual([
      '',
      '1.0',
      'other',
      'stable',
    ])
    expect((await regctl('digest', `oci:${copy}:other`)).stdout).toBe(`${digest}\n`)
    const elsewhere = await regctl('tag', `oci:${copy}:1.0`, `${registry.host}/app:2`)
    expect(elsewhere.code).toBe(2)
    expect(elsewhere.stderr).toContain(
      'hint: Give a tag alone; to send the image somewhere else, run `regctl copy`',
    )
  })

  it.skipIf(missingTool('docker-registry'))(
    'works with docker-registry, in and across repositories',
    async () => {
      await using docker = await startDockerRegistry()
      await regctl('push', `oci:${layout}:1.0`, `${docker.host}/app:1.0`)
      const names = ['1.1', `${docker.host}/mirror/app:1.1`]
      expect(await regctl('tag', `${docker.host}/app:1.0`, ...names)).toMatchObject({ code: 0, stderr: '' })
      for (const name of [`${docker.host}/app:1.1`, `${docker.host}/mirror/app:1.1`])
        expect((await regctl('digest', name)).stdout).toBe(`${digest}\n`)
      const out = join(folder.path, 'out')
      expect((await regctl('pull', `${docker.host}/mirror/app:1.1`, out)).code).toBe(0)
    },
  )
})
