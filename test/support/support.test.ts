import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { extract } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { Digester, digestOf } from '../../src/content/digest.js'
import { writeDockerArchive } from './archive-builder.js'
import { startDockerEngine } from './docker-engine.js'
import { REGISTRY_USER, startDockerRegistry } from './docker-registry.js'
import { buildImage, buildLayer } from './image-builder.js'
import { expectedOf, imagePath, missingImages } from './images.js'
import { run } from './run.js'
import { temporaryFolder } from './temporary-folder.js'
import { missingDockerEngine, missingTool } from './tools.js'

describe('run', () => {
  it('gives code, output and errors of a command that reads its input', async () => {
    const result = await run('sh', ['-c', 'cat; echo wrong >&2; exit 3'], { stdin: 'hello' })
    expect(result).toMatchObject({ code: 3, stdout: 'hello', stderr: 'wrong\n' })
  })

  it('kills a command that takes too long and says what it wrote', async () => {
    await expect(run('sh', ['-c', 'echo here; exec sleep 60'], { timeoutMs: 300 })).rejects.toThrow(
      /took longer than 300 ms\nhere/,
    )
  })

  it('keeps the environment of the developer away', async () => {
    process.env.REGCTL_TEST_SECRET = 'secret'
    const { stdout } = await run('env', [])
    delete process.env.REGCTL_TEST_SECRET
    expect(stdout).toContain('PATH=')
    expect(stdout).not.toContain('REGCTL_TEST_SECRET')
  })
})

describe('the image builder', () => {
  it('makes the same image each time', async () => {
    const options = { layers: [{ seed: 7, size: 100_000 }, { a: 'b' }] }
    const [first, second] = [await buildImage(options), await buildImage(options)]
    expect(second.manifest.descriptor).toEqual(first.manifest.descriptor)
    expect(first.layers).toHaveLength(2)
    expect(first.layers[0]?.size).toBeGreaterThan(40_000)
    expect(first.layers[0]?.size).toBeLessThan(70_000)
  })

  it('streams the same layer into an archive as it makes in memory, and stores one that repeats once', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'image.tar')
    const layer = { seed: 3, size: 300_001 }
    const [image] = await writeDockerArchive(path, [
      { layers: [layer, { a: 'b' }, layer], repoTags: ['a:1'] },
    ])
    const inMemory = await buildLayer(layer)
    expect(image?.diffIDs[0]).toBe(digestOf(inMemory))
    expect(image?.sizes).toEqual([inMemory.length, 2048, inMemory.length])
    const names: string[] = []
    for await (const entry of createReadStream(path).pipe(extract())) {
      const digester = new Digester()
      for await (const chunk of entry) digester.update(chunk as Buffer)
      names.push(entry.header.name)
      if (entry.header.name === 'layer-0/layer.tar') expect(digester.digest()).toBe(image?.diffIDs[0])
    }
    expect(names.slice(0, 2)).toEqual(['layer-0/layer.tar', 'layer-1/layer.tar'])
    expect(names).toHaveLength(4)
    expect((await stat(path)).size).toBeLessThan(2 * inMemory.length)
  })
})

describe.skipIf(missingTool('docker-registry', 'openssl'))('docker-registry', () => {
  it('answers, tells what it was asked, and is gone afterwards', async () => {
    const registry = await startDockerRegistry()
    expect((await fetch(`http://${registry.host}/v2/a/tags/list?n=1`)).status).toBe(404)
    expect(await registry.requests()).toMatchObject([
      { method: 'GET', path: '/v2/a/tags/list?n=1', status: 404 },
    ])
    await registry[Symbol.asyncDispose]()
    await expect(fetch(`http://${registry.host}/v2/`)).rejects.toThrow()
  })

  it('lets only its user in, by password', async () => {
    await using registry = await startDockerRegistry({ htpasswd: true })
    const login = Buffer.from(`${REGISTRY_USER.name}:${REGISTRY_USER.password}`).toString('base64')
    const url = `http://${registry.host}/v2/`
    expect((await fetch(url)).headers.get('www-authenticate')).toContain('Basic')
    expect((await fetch(url, { headers: { authorization: `Basic ${login}` } })).status).toBe(200)
  })

  it('lets only its user in, by token', async () => {
    await using registry = await startDockerRegistry({ tokenAuth: true })
    const url = `http://${registry.host}/v2/a/tags/list`
    const challenge = (await fetch(url)).headers.get('www-authenticate') ?? ''
    const [realm, service, scope] = ['realm', 'service', 'scope'].map(
      name => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '',
    )
    const login = Buffer.from(`${REGISTRY_USER.name}:${REGISTRY_USER.password}`).toString('base64')
    const tokenUrl = `${realm}?${new URLSearchParams({ service: service ?? '', scope: scope ?? '' })}`
    expect((await fetch(tokenUrl)).status).toBe(401)
    const answer = await fetch(tokenUrl, { headers: { authorization: `Basic ${login}` } })
    const { token } = (await answer.json()) as { token: string }
    expect((await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status).toBe(404)
  })
})

describe.skipIf(missingDockerEngine() ?? missingTool('docker-registry') ?? missingImages())(
  'the Docker Engine',
  () => {
    it('loads and pushes an image', async () => {
      await using registry = await startDockerRegistry()
      await using engine = await startDockerEngine()
      const name = 'docker28-one.tar'
      expect((await engine.docker('load', '-i', imagePath(name))).stdout).toContain('Loaded image')
      const tag = expectedOf(name).docker?.[0]?.tags[0] ?? ''
      const target = `${registry.host}/x:latest`
      expect((await engine.docker('tag', tag, target)).code).toBe(0)
      expect((await engine.docker('push', target)).stdout).toMatch(/^latest: digest: sha256:/m)
    })
  },
)
