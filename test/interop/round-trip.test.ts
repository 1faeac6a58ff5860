import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../e2e/test-registry.js'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { missingImages, validImages } from '../support/images.js'
import { snapshotOf } from '../support/registry-snapshot.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { type PulledForm, pullTo, pushEach, repositoryFor, testClient } from './image-matrix.js'
import { type FoundImage, fetchDiffIDs, fetchImages } from './registry-documents.js'

/** These hold manifests and indexes just as they are. */
const EXACT_FORMATS = ['oci', 'oci-archive', 'dir'] as const
/** What docker-registry can't hold: digests of sha512, and layers that are to be had elsewhere. */
const EMBEDDED_ONLY = ['layouts/sha512.tar', 'layouts/foreign-layer.tar']
/** Of this one just an entry can be pushed, since the other descriptors lie: the test of pushes has it. */
const PUSHED_OTHERWISE = ['third-party/ggcr-test-index']
/** Somebody changed this file's config by hand and kept its name. */
const EDITED_CONFIG = ['third-party/bazel-empty-history.tar']
/** What a docker-archive can't hold: artifacts, indexes of nothing else, and what is an image by its media type alone. */
const NOT_ARCHIVED = /^(?:not-an-image|no-such-platform|bad-shape)$/

/** The others are compressed in a way that is refused. */
const images = validImages().filter(
  ({ name, expected: { taken_by: takers = [] } }) =>
    EMBEDDED_ONLY.includes(name) || (takers.length > 0 && !PUSHED_OTHERWISE.includes(name)),
)

const missing = missingTool('docker-registry') ?? missingImages()

describe.skipIf(missing !== undefined)('from a file to a registry, to a file and to another registry', () => {
  let docker: DockerRegistry
  let embedded: TestRegistry
  let target: TestRegistry
  /** The same image is in many files of the collection; what follows its push is the same for all of them. */
  const done = new Map<string, Promise<void>>()

  beforeAll(async () => {
    docker = await startDockerRegistry()
    embedded = await startRegistry()
    target = await startRegistry()
  })

  afterAll(async () => {
    await docker[Symbol.asyncDispose]()
    await embedded[Symbol.asyncDispose]()
    await target[Symbol.asyncDispose]()
  })

  // Much of the time is spent in waiting for the disk.
  it.concurrent.each(images.map(image => [image.name, image.path]))(
    'keeps all of %s',
    async (name, path) => {
      await using client = testClient()
      const { host } = EMBEDDED_ONLY.includes(name) ? embedded : docker
      const { pushed } = await pushEach(client, host, path, repositoryFor(name), {
        trustConfig: EDITED_CONFIG.includes(name),
      })
      expect(pushed).not.toEqual([])
      for (const { result } of pushed) {
        expect(result.error).toBeUndefined()
        const digest = result.root?.digest ?? ''
        const trip = done.get(digest) ?? roundTrips(host, result.target.name)
        done.set(digest, trip)
        await trip
      }
    },
    180_000,
  )

  async function roundTrips(host: string, repository: string): Promise<void> {
    const before = await snapshotOf(host, repository, ['latest'])
    for (const format of EXACT_FORMATS) {
      // A folder of the dir format has one file for the root, whose name says no algorithm: sha256 is meant.
      if (format === 'dir' && before.tags.latest?.startsWith('sha512:')) continue
      const arrived = await roundTrip(host, `${repository}:latest`, { format })
      expect(await snapshotOf(target.host, arrived, ['latest']), format).toEqual(before)
    }
    const digest = before.tags.latest ?? ''
    const found = await fetchImages(host, repository, digest)
    for (const image of found) {
      // Docker knows images by their sha256.
      if (image.digest.startsWith('sha512:')) continue
      const trip = done.get(`image ${image.digest}`) ?? archiveTrips(host, repository, image)
      done.set(`image ${image.digest}`, trip)
      await trip
    }
    if (found.length === 0) {
      const trip = roundTrip(host, `${repository}@${digest}`, { format: 'docker-archive' })
      await expect(trip).rejects.toMatchObject({ code: expect.stringMatching(NOT_ARCHIVED) })
    }
  }

  /** By docker-archives, which hold one image and no index. */
  async function archiveTrips(host: string, repository: string, image: FoundImage): Promise<void> {
    const name = `${repository}@${image.digest}`
    const format = 'docker-archive'
    if (image.isForeign) {
      await expect(roundTrip(host, name, { format })).rejects.toMatchObject({ code: 'foreign-layer' })
      return
    }
    const diffIDs = await fetchDiffIDs(host, repository, image.config)
    for (const uncompressed of [false, true]) {
      const arrived = await roundTrip(host, name, { format, uncompressed })
      const { tags } = await snapshotOf(target.host, arrived, ['latest'])
      const [after] = await fetchImages(target.host, arrived, tags.latest ?? '')
      expect(after?.config).toBe(image.config)
      expect(await fetchDiffIDs(target.host, arrived, image.config)).toEqual(diffIDs)
      // Plain tars are what an older docker save writes, and are compressed by a push.
      if (image.isCompressed && !uncompressed) expect(after?.digest).toBe(image.digest)
    }
  }

  /** Pulls an image and pushes it to the second registry. Returns the repository there. */
  async function roundTrip(host: string, name: string, form: PulledForm): Promise<string> {
    await using folder = await temporaryFolder()
    await using client = testClient()
    const file = join(folder.path, 'image')
    await pullTo(client, [`${host}/${name}`], file, form)
    const way = `${form.format}${form.uncompressed === true ? '-plain' : ''}`
    const repository = `${way}/${name.replace(/[:@]/g, '/')}`
    const { pushed } = await pushEach(client, target.host, file, repository)
    expect(pushed).toHaveLength(1)
    for (const { result } of pushed) if (result.error !== undefined) throw result.error
    return `${repository}/0`
  }
})
