import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { startDockerRegistry } from '../support/docker-registry.js'
import { buildImage, writeLayout } from '../support/image-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { readPeakMemory, withPeakMemory } from '../support/peak-memory.js'
import { cleanEnvironment, regctl, regctlWith, run } from '../support/run.js'
import { answer, refusal, startScripted } from '../support/scripted-server.js'
import { startService } from '../support/service.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const MANY = Array.from({ length: 10_000 }, (_, number) => `v${number}`)
const START_FILE = join(import.meta.dirname, '../../bin/run.js')

describe('tags', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry

  beforeAll(async () => {
    folder = await temporaryFolder()
    const repositories = new MemoryCollection()
    const { manifest } = await buildImage()
    const app = await repositories.create('app')
    await app.putManifest(
      manifest,
      ['1.0', '1.1', '1.1-rc1', '2.0', 'latest', 'sha256-aa.sig'],
      createContext(),
    )
    await (await repositories.create('many')).putManifest(manifest, MANY, createContext())
    registry = await startRegistry({ repositories })
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('are all listed, those of signatures too', async () => {
    const listed = await regctl('tags', `${registry.host}/app`)
    expect(listed).toMatchObject({
      code: 0,
      stdout: '1.0\n1.1\n1.1-rc1\n2.0\nlatest\nsha256-aa.sig\n',
      stderr: '',
    })
    expect((await regctl('ls', `${registry.host}/app`)).stdout).toBe(listed.stdout)
  })

  it('are chosen by patterns, and a limit counts what is left', async () => {
    const chosen = await regctl(
      'tags',
      `${registry.host}/app`,
      ...['--include', '1.*', '--include', '[0-9].0', '--exclude', '*-rc?', '--limit', '2'],
    )
    expect(chosen).toMatchObject({ code: 0, stdout: '1.0\n1.1\n', stderr: '' })
    const broken = await regctl('tags', `${registry.host}/app`, '--include', 'v[0')
    expect(broken).toMatchObject({
      code: 2,
      stdout: '',
      stderr:
        'error: "v[0" is not a pattern: its [ is never closed\nhint: Write it with *, ? and [a-z], in quotes: `1.*`, `v[0-9]`\n',
    })
  })

  it('are one JSON document', async () => {
    const { stdout } = await regctl('tags', `${registry.host}/app`, '--limit', '2', '--json')
    expect(schemaErrors('tags', stdout)).toEqual([])
    const document = { repository: `${registry.host}/app`, tags: ['1.0', '1.1'] }
    expect(stdout).toBe(`${JSON.stringify(document, undefined, 2)}\n`)
    const none = await regctl('tags', `${registry.host}/app`, '--include', 'x', '--json')
    expect(JSON.parse(none.stdout)).toEqual({ repository: `${registry.host}/app`, tags: [] })
  })

  it('R9: of a repository that is not there are denied, since registries do not tell them apart', async () => {
    const { code, stderr, stdout } = await regctl('tags', `${registry.host}/none`, '--json')
    expect(code).toBe(4)
    expect(stderr).toContain('repository not found or access denied: GET ')
    expect(schemaErrors('error', stdout)).toEqual([])
  })

  it('are of a repository, and not of one image', async () => {
    const { code, stderr } = await regctl('tags', `${registry.host}/app:1.0`)
    expect(code).toBe(2)
    expect(stderr).toBe(
      `error: a list is of all tags, but this names one image\nhint: Ask for the list of ${registry.host}/app\n`,
    )
  })

  it('of a layout and of an archive are the names that are in it', async () => {
    const { manifest, blobs } = await buildImage()
    const layout = join(folder.path, 'layout')
    await writeLayout(
      layout,
      [
        { manifest, tag: '1.0' },
        { manifest, tag: '1.1' },
      ],
      blobs,
    )
    expect(await regctl('tags', `oci:${layout}`)).toMatchObject({ code: 0, stdout: '1.0\n1.1\n', stderr: '' })
    const archive = join(folder.path, 'image.tar')
    await writeDockerArchive(archive, [{ layers: [{ a: 'a\n' }], repoTags: ['acme/app:1', 'acme/app:2'] }])
    const { stdout } = await regctl('tags', archive, '--exclude', '*:2', '--json')
    expect(schemaErrors('tags', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toEqual({ file: archive, tags: ['acme/app:1'] })
    expect((await regctl('tags', `oci:${layout}:1.0`)).code).toBe(2)
  })

  it('are printed page by page: the first one before the second is there', async () => {
    let sendSecond = () => {}
    const second = new Promise<void>(resolve => {
      sendSecond = resolve
    })
    await using server = await startScripted([
      [/last=b/, (_, response) => void second.then(() => response.end('{"tags":["c"]}'))],
      [/./, answer(200, { link: '</v2/a/tags/list?last=b>; rel="next"' }, '{"tags":["a","b"]}')],
    ])
    const env = cleanEnvironment(folder.path)
    const command = [START_FILE, 'tags', `${server.host}/a`]
    await using listing = await startService(process.execPath, command, env, ({ stdout }) => stdout() !== '')
    expect(listing.stdout()).toBe('a\nb\n')
    const ended = new Promise(resolve => listing.process.once('close', resolve))
    sendSecond()
    expect(await ended).toBe(0)
    expect(listing.stdout()).toBe('a\nb\nc\n')
  })

  it('that break off are still one JSON document, which says so', async () => {
    await using server = await startScripted([
      [/last=b/, refusal(403, 'DENIED')],
      [/./, answer(200, { link: '</v2/a/tags/list?last=b>; rel="next"' }, '{"tags":["a","b"]}')],
    ])
    const { code, stdout, stderr } = await regctl('tags', `${server.host}/a`, '--json')
    expect(code).toBe(4)
    expect(stderr).toContain('error: listing of the tags of ')
    expect(schemaErrors('tags', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject({ tags: ['a', 'b'], error: { kind: 'denied' } })
  })

  it('from a hostile registry reach the terminal without control characters, and what is none is told', async () => {
    await using server = await startScripted([
      [/./, answer(200, {}, JSON.stringify({ tags: ['ok', '\x1b[2Jevil', null, 7] }))],
    ])
    expect(await regctl('tags', `${server.host}/a`)).toMatchObject({
      code: 0,
      stdout: 'ok\n',
      stderr: `warning: ${server.host}/a lists 3 names that are no tags; they are left out\n`,
    })
  })

  it('stop without a stack where nobody reads on', async () => {
    await using server = await startScripted([[/./, answer(200, {}, JSON.stringify({ tags: MANY }))]])
    const command = `"$0" "$1" tags ${server.host}/a | head -n 1`
    const { stdout, stderr } = await run('sh', ['-c', command, process.execPath, START_FILE], {
      env: cleanEnvironment(folder.path),
    })
    expect({ stdout, stderr }).toEqual({ stdout: 'v0\n', stderr: '' })
  })

  it('10,000 at once take no more memory than a handful', async () => {
    const memoryOf = async (repository: string) => {
      const env = withPeakMemory(folder.path)
      const listed = await regctlWith({ env }, 'tags', `${registry.host}/${repository}`, '--json')
      expect(listed.code).toBe(0)
      return { tags: JSON.parse(listed.stdout).tags.length, megabytes: readPeakMemory(folder.path) }
    }
    const few = await memoryOf('app')
    const many = await memoryOf('many')
    expect(many.tags).toBe(10_000)
    expect(many.megabytes - few.megabytes).toBeLessThan(40)
  })

  it.skipIf(missingTool('docker-registry'))('10,000 come from docker-registry, in order', async () => {
    await using docker = await startDockerRegistry()
    const tags = join(docker.storage, 'docker/registry/v2/repositories/many/_manifests/tags')
    await Promise.all(MANY.map(tag => mkdir(join(tags, tag, 'current'), { recursive: true })))
    const env = withPeakMemory(folder.path)
    const { code, stdout } = await regctlWith({ env }, 'tags', `${docker.host}/many`)
    expect(code).toBe(0)
    expect(readPeakMemory(folder.path)).toBeLessThan(200)
    expect(stdout).toBe(`${[...MANY].sort().join('\n')}\n`)
    expect((await regctl('tags', `${docker.host}/many`, '--limit', '3')).stdout).toBe('v0\nv1\nv10\n')
  })
})
