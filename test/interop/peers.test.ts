import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Descriptor } from '../../src/content/descriptor.js'
import { isIndexType, MediaType } from '../../src/content/media-types.js'
import { startRegistry, type TestRegistry } from '../e2e/test-registry.js'
import { missingImages, validImages } from '../support/images.js'
import { missingPeer, peer, peerPath } from '../support/peers.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { missingTool, toolPath } from '../support/tools.js'
import { pullTo, pushEach, repositoryFor, testClient } from './image-matrix.js'
import { type FoundImage, fetchImages, fetchManifest } from './registry-documents.js'

const missing = missingTool('skopeo') ?? missingPeer('skopeo') ?? missingImages()

/** These two want to be pushed in their own way: see the test of pushes. */
const PUSHED_OTHERWISE = ['third-party/bazel-empty-history.tar', 'third-party/ggcr-test-index']
const images = validImages().filter(
  ({ name, expected: { taken_by: takers = [] } }) => takers.length > 0 && !PUSHED_OTHERWISE.includes(name),
)

describe.skipIf(missing !== undefined)('what was pulled', () => {
  let registry: TestRegistry
  let skopeos: Skopeo[]
  /** The same image is in many files of the collection. */
  const done = new Map<string, Promise<void>>()

  beforeAll(async () => {
    registry = await startRegistry()
    skopeos = await findSkopeos()
  })

  afterAll(() => registry[Symbol.asyncDispose]())

  it.concurrent.each(images.map(image => [image.name, image.path]))(
    'of %s is read by skopeo',
    async (name, path) => {
      await using client = testClient()
      const { pushed } = await pushEach(client, registry.host, path, repositoryFor(name))
      for (const { result } of pushed) {
        if (result.root === undefined) throw result.error
        const { root, target } = result
        await once(root.digest, () => readWhole(target.name, root))
        // One image of an index is enough: the others have archives of the same kind.
        const [image] = await fetchImages(registry.host, target.name, root.digest)
        if (image?.isForeign === false)
          await once(`image ${image.digest}`, () => readArchives(target.name, image))
      }
    },
    180_000,
  )

  /** The older skopeo is one more only for every fourth image, by its digest: what it can't read is one kind of thing. */
  function readersOf({ digest }: { digest: string }): readonly Skopeo[] {
    return skopeos.filter(({ isOld }) => !isOld || Number.parseInt(digest.slice(-1), 16) % 4 === 0)
  }

  async function once(key: string, work: () => Promise<void>): Promise<void> {
    const promise = done.get(key) ?? work()
    done.set(key, promise)
    await promise
  }

  /** By the formats that hold everything as it is. */
  async function readWhole(repository: string, root: Descriptor): Promise<void> {
    await using client = testClient()
    for (const format of ['oci', 'oci-archive', 'dir'] as const) {
      await using folder = await temporaryFolder()
      const file = join(folder.path, 'image')
      await pullTo(client, [`${registry.host}/${repository}:latest`], file, { format })
      const name = format === 'dir' ? `dir:${file}` : `${format}:${file}:latest`
      for (const skopeo of readersOf(root)) {
        if (!canRead(skopeo, format, root)) continue
        if (await canCopy(skopeo, repository, root.digest)) {
          const target = join(folder.path, skopeo.version)
          await peer(skopeo, [...COPY, name, `dir:${target}`])
          expect(sha256(await readFile(join(target, 'manifest.json')))).toBe(root.digest)
        } else {
          const { stdoutBytes } = await peer(skopeo, ['inspect', '--raw', name])
          expect(sha256(stdoutBytes)).toBe(root.digest)
        }
      }
    }
  }

  /** Older versions see nothing of Docker's types in a layout. */
  function canRead({ isOld }: Skopeo, format: string, root: Descriptor): boolean {
    const isDocker =
      root.mediaType === MediaType.dockerManifest || root.mediaType === MediaType.dockerManifestList
    return format === 'dir' || !isDocker || !isOld
  }

  /** No version takes an index inside an index; older ones forget the `artifactType` of an index's entries. */
  async function canCopy({ isOld }: Skopeo, repository: string, digest: string): Promise<boolean> {
    const { manifests = [] } = await fetchManifest(registry.host, repository, digest)
    return manifests.every(
      ({ mediaType, artifactType }) => !isIndexType(mediaType) && !(isOld && artifactType !== undefined),
    )
  }

  async function readArchives(repository: string, image: FoundImage): Promise<void> {
    await using client = testClient()
    const format = 'docker-archive'
    for (const uncompressed of [false, true]) {
      await using folder = await temporaryFolder()
      const file = join(folder.path, 'image.tar')
      await pullTo(client, [`${registry.host}/${repository}@${image.digest}`], file, { format, uncompressed })
      for (const skopeo of readersOf(image)) {
        const target = join(folder.path, skopeo.version)
        await peer(skopeo, ['copy', '--insecure-policy', `docker-archive:${file}`, `dir:${target}`])
        const manifest = JSON.parse(await readFile(join(target, 'manifest.json'), 'utf8'))
        expect(manifest.config.digest).toBe(image.config)
      }
    }
  }
})

const COPY = ['copy', '--all', '--preserve-digests', '--insecure-policy']

interface Skopeo {
  path: string
  version: string
  isOld: boolean
}

/** The fetched one and the installed one. */
async function findSkopeos(): Promise<Skopeo[]> {
  const paths = [...new Set([peerPath('skopeo'), toolPath('skopeo')])].filter(path => path !== undefined)
  return await Promise.all(
    paths.map(async path => {
      const { stdout } = await peer({ path }, ['--version'])
      const [version = '', minor = ''] = /1\.(\d+)\.\d+/.exec(stdout) ?? []
      return { path, version, isOld: Number(minor) < 20 }
    }),
  )
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
