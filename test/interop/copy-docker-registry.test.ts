import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { type BuiltImage, buildImage, buildIndex, writeLayout } from '../support/image-builder.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'

const PLATFORMS = ['amd64', 'arm64'].map(architecture => ({ os: 'linux', architecture }))

describe.skipIf(missingTool('docker-registry'))('regctl copy to docker-registry', () => {
  let folder: TemporaryFolder
  let registry: DockerRegistry
  let images: BuiltImage[]
  let source: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startDockerRegistry({ deletes: true })
    source = `oci:${join(folder.path, 'layout')}:1`
    images = await Promise.all(
      PLATFORMS.map(platform => buildImage({ platform, layers: [{ a: platform.architecture }] })),
    )
    const index = buildIndex(
      images.map(({ manifest }, position) => ({
        manifest,
        platform: PLATFORMS[position] ?? { os: '', architecture: '' },
      })),
    )
    await writeLayout(
      join(folder.path, 'layout'),
      [{ manifest: index, tag: '1' }],
      new Map(images.flatMap(image => [...image.blobs])),
      images.map(({ manifest }) => manifest),
    )
    expect(await regctl('copy', source, `${registry.host}/app:1`)).toMatchObject({ code: 0, stderr: '' })
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** The requests of a run. */
  async function requestsOf(run: () => Promise<unknown>): Promise<string[]> {
    const before = (await registry.requests()).length
    await run()
    return (await registry.requests()).slice(before).map(({ method, path }) => `${method} ${path}`)
  }

  async function remove(path: string): Promise<void> {
    const response = await fetch(`http://${registry.host}/v2/app/${path}`, { method: 'DELETE' })
    expect(response.status).toBe(202)
  }

  it('asks for manifests alone the second time, and writes nothing', async () => {
    const requests = await requestsOf(() => regctl('copy', source, `${registry.host}/app:1`))
    expect(requests.length).toBeGreaterThan(0)
    expect(requests.filter(line => !/^HEAD .*\/manifests\/|^GET \/v2\/$/.test(line))).toEqual([])
  })

  it('mounts within the registry, and sends no bytes', async () => {
    const { host } = registry
    const requests = await requestsOf(() => regctl('copy', `${host}/app:1`, `${host}/mirror:1`))
    expect(requests.filter(line => /^POST .*mount=/.test(line))).toHaveLength(4)
    expect(requests.filter(line => /^(?:PUT|PATCH) .*\/blobs\//.test(line))).toEqual([])
  })

  it('R25: sends what was removed from under a manifest once the registry misses it', async () => {
    const layer = images[0]?.layers[0]?.digest
    await remove(`blobs/${layer}`)
    const image = images[0]?.manifest.descriptor.digest
    // The image is there, so it is believed to be whole until it is put under another tag.
    const copied = await regctl(
      'copy',
      `${source.replace(/:1$/, '')}`,
      `${registry.host}/app:amd`,
      '--platform',
      'linux/amd64',
    )
    expect(copied.code).toBe(0)
    expect(copied.stderr).toBe(`warning: ${registry.host}/app lacks ${layer} again: it is sent once more\n`)
    expect((await regctl('digest', `${registry.host}/app:amd`)).stdout).toBe(`${image}\n`)
    expect((await regctl('pull', `${registry.host}/app:amd`, join(folder.path, 'pulled'))).code).toBe(0)
  })

  it('sends an image that was removed from the index, which is still there', async () => {
    const image = images[1]?.manifest.descriptor.digest
    await remove(`manifests/${image}`)
    expect(await regctl('copy', source, `${registry.host}/app:1`)).toMatchObject({ code: 0, stderr: '' })
    expect((await regctl('digest', `${registry.host}/app@${image}`)).stdout).toBe(`${image}\n`)
  })

  it('looks for every blob with --recheck, and sends those that are gone', async () => {
    const layer = images[1]?.layers[0]?.digest
    await remove(`blobs/${layer}`)
    const believed = await regctl('copy', source, `${registry.host}/app:1`)
    expect(believed.stdout).not.toContain('Pushed\n')
    const rechecked = await regctl('push', source, `${registry.host}/app:1`, '--recheck')
    expect(rechecked).toMatchObject({ code: 0, stderr: '' })
    expect(rechecked.stdout.match(/: Pushed$/gm)).toHaveLength(1)
    const repository = `http://${registry.host}/v2/app/blobs/${layer}`
    expect((await fetch(repository, { method: 'HEAD' })).status).toBe(200)
  })
})
