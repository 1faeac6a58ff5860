import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../e2e/test-registry.js'
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js'
import { missingImages, validImages } from '../support/images.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingDockerEngine } from '../support/tools.js'
import { type PulledForm, pullTo, pushEach, repositoryFor, testClient } from './image-matrix.js'
import { type FoundImage, fetchDiffIDs, fetchImages } from './registry-documents.js'

const missing = missingDockerEngine() ?? missingImages()

/** These two want to be pushed in their own way: see the test of pushes. */
const PUSHED_OTHERWISE = ['third-party/bazel-empty-history.tar', 'third-party/ggcr-test-index']

/** An image of the collection. */
interface Loadable extends FoundImage {
  /** By its digest. */
  reference: string
  diffIDs: readonly string[]
}

/** What Docker says of the images that it has, by their IDs: the diffIDs of each. */
type Loaded = Readonly<Record<string, readonly string[]>>

describe.skipIf(missing !== undefined)('docker-archives of every image, loaded by Docker', () => {
  let registry: TestRegistry
  let engine: DockerEngine
  let folder: TemporaryFolder
  let images: Loadable[]

  beforeAll(async () => {
    registry = await startRegistry()
    engine = await startDockerEngine()
    folder = await temporaryFolder()
    images = await collect(registry.host)
  }, 180_000)

  afterAll(async () => {
    await engine[Symbol.asyncDispose]()
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('are many', () => {
    expect(images.length).toBeGreaterThan(60)
    expect(images.filter(({ hasZstd }) => hasZstd).length).toBeGreaterThan(3)
  })

  it('are the images of the registry, each from an archive of its own', async () => {
    for (const image of images) {
      // This engine may be an old one, which doesn't know zstd.
      if (image.hasZstd) continue
      await pull([image], { format: 'docker-archive' })
      expect(await load()).toEqual(expectedOf([image]))
      // The next one shall not find layers of this one.
      await docker('rmi', '--force', image.config)
    }
  }, 300_000)

  it.each([{ uncompressed: true }, {}])(
    'are the images of the registry, all from one archive %o',
    async form => {
      const loadable = images.filter(image => form.uncompressed === true || !image.hasZstd)
      await pull(loadable, { format: 'docker-archive', ...form })
      expect(await load()).toEqual(expectedOf(loadable))
      await docker('rmi', '--force', ...new Set(loadable.map(({ config }) => config)))
      expect(await docker('images', '--all', '--quiet')).toBe('')
    },
    180_000,
  )

  const file = () => join(folder.path, 'images.tar')

  async function pull(chosen: readonly Loadable[], form: PulledForm): Promise<void> {
    await using client = testClient()
    const references = chosen.map(({ reference }) => reference)
    await pullTo(client, references, file(), form)
  }

  async function load(): Promise<Loaded> {
    await docker('load', '--input', file())
    const ids = (await docker('images', '--all', '--quiet', '--no-trunc')).split('\n').filter(id => id !== '')
    const found = JSON.parse(await docker('image', 'inspect', ...new Set(ids))) as {
      Id: string
      RootFS: { Layers: string[] | null }
    }[]
    return Object.fromEntries(found.map(({ Id, RootFS }) => [Id, RootFS.Layers ?? []]))
  }

  async function docker(...parameters: string[]): Promise<string> {
    const { code, stdout, stderr } = await engine.docker(...parameters)
    if (code !== 0) throw new Error(`docker ${parameters.join(' ')} failed: ${stderr}`)
    return stdout
  }
})

/** Puts the whole collection into a registry, and tells which images are there, each once. */
async function collect(host: string): Promise<Loadable[]> {
  const found = new Map<string, Loadable>()
  for (const { name, path, expected } of validImages()) {
    if ((expected.taken_by ?? []).length === 0 || PUSHED_OTHERWISE.includes(name)) continue
    await using client = testClient()
    const { pushed } = await pushEach(client, host, path, repositoryFor(name))
    for (const { result } of pushed) {
      if (result.root === undefined) throw result.error
      const repository = result.target.name
      for (const image of await fetchImages(host, repository, result.root.digest)) {
        // An engine for Linux takes no others, and what says nothing of a system is a signature.
        if (image.os !== 'linux') continue
        const diffIDs = await fetchDiffIDs(host, repository, image.config)
        const reference = `${host}/${repository}@${image.digest}`
        found.set(image.digest, { ...image, reference, diffIDs })
      }
    }
  }
  return [...found.values()]
}

function expectedOf(images: readonly Loadable[]): Loaded {
  return Object.fromEntries(images.map(({ config, diffIDs }) => [config, diffIDs]))
}
