import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type BuiltImage, buildImage, writeLayout } from '../support/image-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { readTar } from './tar-files.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

describe('regctl copy --all-tags', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  let images: BuiltImage[]
  /** The layout with the tags 1.0, 1.1, 2.0, and what cosign would add for the first. */
  let layout: string
  let signatureTag: string
  const at = (name: string) => join(folder.path, name)
  const digestAt = (position: number) => images[position]?.manifest.descriptor.digest ?? ''

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startRegistry()
    layout = at('layout')
    images = await Promise.all(
      ['a', 'b', 'c', 'signature'].map(a => buildImage({ layers: [{ same: 'x' }, { a }] })),
    )
    signatureTag = `${digestAt(0).replace(':', '-')}.sig`
    const tags = ['1.0', '1.1', '2.0', signatureTag]
    const roots = images.map(({ manifest }, position) => ({ manifest, tag: tags[position] ?? '' }))
    await writeLayout(layout, roots, new Map(images.flatMap(image => [...image.blobs])))
    for (const tag of tags) {
      expect(await regctl('copy', `oci:${layout}:${tag}`, `${registry.host}/app:${tag}`)).toMatchObject({
        code: 0,
      })
    }
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('copies each tag, tells of it in a line, and writes nothing the second time', async () => {
    const { host } = registry
    const run = ['copy', `${host}/app`, `${host}/mirror`, '--all-tags']
    const { code, stdout, stderr } = await regctl(...run)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(
      `1.0: digest: ${digestAt(0)}\n1.1: digest: ${digestAt(1)}\n2.0: digest: ${digestAt(2)}\n` +
        '3 tags: 3 copied, 0 already there, 0 failed\n',
    )
    expect((await registry.manifest('mirror', '1.1'))?.digest).toBe(digestAt(1))
    expect(await registry.manifest('mirror', signatureTag)).toBeUndefined()
    const writes = registry.writes().length
    const again = await regctl(...run)
    expect(again.stdout).toBe(
      '1.0: already there\n1.1: already there\n2.0: already there\n' +
        '3 tags: 0 copied, 3 already there, 0 failed\n',
    )
    expect(registry.writes()).toHaveLength(writes)
    expect((await regctl(...run, '--referrers', '--quiet')).stdout).toContain(
      `${host}/mirror:1.0@${digestAt(0)}\n`,
    )
    expect((await registry.manifest('mirror', signatureTag))?.digest).toBe(digestAt(3))
  })

  it('sends a blob that the tags share once to another registry', async () => {
    await using other = await startRegistry()
    expect((await regctl('copy', layout, `${other.host}/x`, '--all-tags')).code).toBe(0)
    const shared = images[0]?.layers[0]?.digest
    const uploads = other.writes().filter(line => /^PUT .*\/blobs\/uploads\//.test(line))
    // Three configs, three layers of their own, one shared.
    expect(uploads).toHaveLength(7)
    expect(await other.blob('x', shared ?? '')).toBeDefined()
  })

  it('takes the tags that --include matches, without those of --exclude, and plans with --dry-run', async () => {
    const { host } = registry
    const run = ['copy', `${host}/app`, `${host}/some`, '--all-tags', '--include', '1.*', '--exclude', '*.1']
    const writes = registry.writes().length
    const dry = await regctl(...run, '--dry-run')
    expect(dry.stdout).toMatch(
      /^1\.0: would be copied: sha256:[0-9a-f]{64} \(3 blobs to send, \d+\w+\)\n1 tag: 1 to copy, /,
    )
    expect(registry.writes()).toHaveLength(writes)
    const json = await regctl(...run, '--json')
    expect(schemaErrors('copy', json.stdout)).toEqual([])
    expect(JSON.parse(json.stdout)).toMatchObject({
      source: `${host}/app`,
      tags: [{ tag: '1.0', targets: [{ destination: `${host}/some`, digest: digestAt(0), tags: ['1.0'] }] }],
      copied: 1,
      unchanged: 0,
      failed: 0,
    })
    expect(await registry.manifest('some', '1.1')).toBeUndefined()
  })

  it('goes on when a tag fails, and ends with its exit code', async () => {
    await using other = await startRegistry()
    const { host } = other
    expect((await regctl('copy', `oci:${layout}:2.0`, `${host}/x:1.1`)).code).toBe(0)
    const run = ['copy', `${registry.host}/app`, `${host}/x`, '--all-tags', '--no-overwrite']
    const { code, stdout, stderr } = await regctl(...run)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: 1\.1: .*x has the tag 1\.1 already: it is sha256:[^\n]*\nhint: [^\n]*\n$/)
    expect(stdout).toContain('3 tags: 2 copied, 0 already there, 1 failed\n')
    expect((await other.manifest('x', '2.0'))?.digest).toBe(digestAt(2))
    const json = await regctl(...run, '--json')
    expect(schemaErrors('copy', json.stdout)).toEqual([])
    expect(JSON.parse(json.stdout)).toMatchObject({ failed: 1, unchanged: 2 })
  })

  it('copies from files and into them', async () => {
    const { host } = registry
    expect((await regctl('copy', `${host}/app`, `oci:${at('out')}`, at('out.tar'), '--all-tags')).code).toBe(
      0,
    )
    const index = JSON.parse(await readFile(join(at('out'), 'index.json'), 'utf8'))
    const names = index.manifests.map(
      (entry: { annotations: Record<string, string> }) =>
        entry.annotations['org.opencontainers.image.ref.name'],
    )
    expect(names.sort()).toEqual(['1.0', '1.1', '2.0'])
    const manifest = JSON.parse(`${(await readTar(at('out.tar'))).get('manifest.json')}`)
    expect(manifest.flatMap(({ RepoTags }: { RepoTags: string[] }) => RepoTags).sort()).toEqual(
      ['1.0', '1.1', '2.0'].map(tag => `${host}/app:${tag}`),
    )
    expect((await regctl('copy', at('out.tar'), `${host}/back`, '--all-tags')).code).toBe(0)
    expect((await registry.manifest('back', '1.1'))?.digest).toBe(digestAt(1))
  })

  it('is wrong usage where one image is named, and where two have one tag', async () => {
    const { host } = registry
    const one = await regctl('copy', `${host}/app:1.0`, `${host}/x`, '--all-tags')
    expect(one.code).toBe(2)
    expect(one.stderr).toContain('but this names one image\nhint: Leave out `1.0`\n')
    expect((await regctl('copy', `${host}/app`, `${host}/x`, '--include', '1.*')).code).toBe(2)
    await writeDockerArchive(at('two.tar'), [
      { layers: [{ a: 'a\n' }], repoTags: ['acme/first:v1'] },
      { layers: [{ b: 'b\n' }], repoTags: ['acme/second:v1'] },
    ])
    const two = await regctl('copy', at('two.tar'), `${host}/two`, '--all-tags')
    expect(two.code).toBe(2)
    expect(two.stderr).toContain('has several images with the tag v1\n')
  })

  it('is not found where there is no such repository', async () => {
    const { host } = registry
    const { code, stdout } = await regctl('copy', `${host}/none`, `${host}/x`, '--all-tags', '--json')
    expect([3, 4]).toContain(code)
    expect(schemaErrors('copy', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject({ tags: [], error: { code: expect.any(String) } })
  })
})
