import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BuiltImage } from '../support/image-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { pushImage } from './pull-fixtures.js'
import { readTar } from './tar-files.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const SHARED = { seed: 7, size: 60_000 }

describe('several images in one pull', () => {
  let folder: TemporaryFolder
  let registries: [TestRegistry, TestRegistry]
  /** Of the same tag in two registries, with a layer in common. */
  let images: [BuiltImage, BuiltImage]
  let names: [string, string]

  beforeAll(async () => {
    folder = await temporaryFolder()
    registries = [await startRegistry(), await startRegistry()]
    names = [`${registries[0].host}/app:1`, `${registries[1].host}/team/other:1`]
    images = [
      await pushImage(folder.path, { layers: [SHARED, { a: 'a\n' }] }, names[0]),
      await pushImage(folder.path, { layers: [SHARED, { b: 'b\n' }], docker: true }, names[1]),
    ]
  })

  afterAll(async () => {
    for (const registry of registries) await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  const at = (name: string) => join(folder.path, name)
  const blobReads = () =>
    registries.flatMap(registry => registry.requests().filter(line => /^GET .*\/blobs\//.test(line)))

  /** The names in an index.json, as containerd and as others read them (rule R186). */
  const indexNames = (bytes: Buffer | undefined) =>
    (JSON.parse(`${bytes}`).manifests as { annotations: Record<string, string> }[]).map(({ annotations }) => [
      annotations['io.containerd.image.name'],
      annotations['org.opencontainers.image.ref.name'],
    ])

  it('go into one docker-archive under their full names, each blob downloaded once (R186, R189)', async () => {
    const before = blobReads().length
    const pulled = await regctl('pull', ...names, at('both.tar'))
    expect(pulled).toMatchObject({ code: 0, stderr: '' })
    const layers = new Set(images.flatMap(image => image.layers.map(({ digest }) => digest)))
    const reads = blobReads()
      .slice(before)
      .filter(line => [...layers].some(digest => line.endsWith(digest)))
    expect(layers.size).toBe(3)
    expect(reads).toHaveLength(3)
    expect(pulled.stdout.match(/: Already exists$/gm)).toHaveLength(1)
    expect(pulled.stdout).toMatch(/^1: Pulling from app\n[\s\S]*\n1: Pulling from team\/other\n/)
    for (const [at, { manifest }] of images.entries()) {
      expect(pulled.stdout).toContain(
        `Digest: ${manifest.descriptor.digest}\nStatus: Downloaded newer image for ${names[at]}\n`,
      )
    }
    const files = await readTar(at('both.tar'))
    const manifest = JSON.parse(`${files.get('manifest.json')}`) as { Config: string; RepoTags: string[] }[]
    expect(manifest.map(({ RepoTags }) => RepoTags)).toEqual([...names].sort().map(name => [name]))
    expect(new Set(manifest.map(({ Config }) => Config))).toEqual(
      new Set(images.map(({ config }) => `blobs/${config.digest.replace(':', '/')}`)),
    )
    expect(indexNames(files.get('index.json'))).toEqual([...names].sort().map(name => [name, '1']))
  })

  it('give the same bytes whichever is named first, and each time (R191)', async () => {
    const saved = await regctl('save', '-o', at('first.tar'), ...names)
    expect(saved).toMatchObject({ code: 0, stderr: '' })
    expect((await regctl('pull', ...[...names].reverse(), at('second.tar'), '--jobs', '1')).code).toBe(0)
    const [first, second] = [await readFile(at('first.tar')), await readFile(at('second.tar'))]
    expect(first.equals(second)).toBe(true)
  })

  it('are added to a layout, which keeps what it holds', async () => {
    const layout = at('added')
    expect((await regctl('pull', names[0], layout)).code).toBe(0)
    const added = await regctl('pull', names[1], layout, '--json')
    expect(added).toMatchObject({ code: 0, stderr: '' })
    expect(schemaErrors('pull', added.stdout)).toEqual([])
    expect(JSON.parse(added.stdout).images[0].blobs).toEqual({ copied: 2, mounted: 0, exists: 1, skipped: 0 })
    const index = await readFile(join(layout, 'index.json'))
    expect(indexNames(index)).toEqual(names.map(name => [name, '1']))
    for (const [at, name] of names.entries()) {
      const found = await regctl('digest', layout, '--image', name)
      expect(found.stdout).toBe(`${images[at]?.manifest.descriptor.digest}\n`)
    }
  })

  it('may be pulled into one layout by two runs at once, which lose nothing (R191)', async () => {
    const layout = at('at-once')
    const runs = await Promise.all(names.map(name => regctl('pull', name, layout)))
    for (const run of runs) expect(run).toMatchObject({ code: 0, stderr: '' })
    const index = await readFile(join(layout, 'index.json'))
    expect(indexNames(index).sort()).toEqual(names.map(name => [name, '1']).sort())
    for (const [at, name] of names.entries()) {
      const pushed = await regctl('push', layout, `${registries[0].host}/check:${at}`, '--image', name)
      expect(pushed.code).toBe(0)
    }
  })

  it('are digests, one a line, in a file and with --quiet', async () => {
    const parameters = [...names, at('quiet.tar'), '--digest-file', at('digests'), '--quiet']
    const digests = images.map(({ manifest }) => manifest.descriptor.digest)
    const repositories = names.map(name => name.replace(/:1$/, ''))
    expect(await regctl('pull', ...parameters)).toMatchObject({
      code: 0,
      stdout: repositories.map((repository, at) => `${repository}@${digests[at]}\n`).join(''),
      stderr: '',
    })
    expect(await readFile(at('digests'), 'utf8')).toBe(digests.map(digest => `${digest}\n`).join(''))
  })

  it('make no archive when one of them fails', async () => {
    const inside = at('failing')
    const missing = `${registries[0].host}/none:1`
    const failed = await regctl('pull', names[0], missing, names[1], join(inside, 'all.tar'))
    expect(failed.code).toBe(3)
    expect(failed.stderr).toMatch(/^error: [^\n]*none:1/)
    expect(await readdir(folder.path)).not.toContain('failing')
    await writeFile(at('older.tar'), 'older')
    expect((await regctl('pull', missing, names[1], at('older.tar'))).code).toBe(3)
    expect(await readFile(at('older.tar'), 'utf8')).toBe('older')
  })

  it('stay in a layout when another one fails, whose exit code it is', async () => {
    const layout = at('partly')
    const missing = `${registries[0].host}/none:1`
    const parameters = [names[0], missing, names[1], layout]
    const failed = await regctl('pull', ...parameters)
    expect(failed.code).toBe(3)
    expect(failed.stderr).toMatch(/^error: [^\n]*none:1[^\n]*\n(?:hint: [^\n]*\n)?$/)
    expect(indexNames(await readFile(join(layout, 'index.json')))).toEqual(names.map(name => [name, '1']))
    const json = await regctl('pull', ...parameters, '--json')
    expect(json).toMatchObject({ code: 3, stderr: '' })
    expect(schemaErrors('pull', json.stdout)).toEqual([])
    expect(JSON.parse(json.stdout).images).toMatchObject([
      { reference: names[0], blobs: { copied: 0, exists: 3 } },
      { reference: missing, error: { kind: 'not-found' } },
      { reference: names[1] },
    ])
  })

  it('are only looked at in a dry run, which counts a blob that they share once', async () => {
    const dry = await regctl('pull', ...names, at('new/dry.tar'), '--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toContain(': Would be pulled\n')
    const repositories = names.map(name => name.replace(/:1$/, ''))
    const [first, second] = images.map(({ manifest }) => manifest.descriptor.digest)
    expect(dry.stdout).toMatch(
      new RegExp(`Nothing was pulled: ${repositories[0]}@${first} \\(3 blobs to download, [^,]+\\)\n`),
    )
    expect(dry.stdout).toMatch(
      new RegExp(
        `Nothing was pulled: ${repositories[1]}@${second} \\(2 blobs to download, [^,]+, 1 there already\\)\n$`,
      ),
    )
    expect(await readdir(folder.path)).not.toContain('new')
  })
})
