import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Descriptor } from '../../src/content/descriptor.js'
import { MediaType } from '../../src/content/media-types.js'
import { WeightedLimit } from '../../src/limit.js'
import { missingImages, validImages } from '../support/images.js'
import { cleanEnvironment, type RunResult, run } from '../support/run.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { type BothRegistries, REGISTRY_KINDS, startBothRegistries } from './both-registries.js'
import { pushEach, repositoryFor, testClient } from './image-matrix.js'
import { fetchImageFor, fetchManifest } from './registry-documents.js'

/** These two want to be pushed in their own way: see the test of pushes. */
const PUSHED_OTHERWISE = ['third-party/bazel-empty-history.tar', 'third-party/ggcr-test-index']

const missing = missingTool('skopeo', 'docker-registry') ?? missingImages()
const taken = validImages().filter(
  image => (image.expected.taken_by ?? []).length > 0 && !PUSHED_OTHERWISE.includes(image.name),
)

describe.skipIf(missing !== undefined)('skopeo after a push', () => {
  let registries: BothRegistries
  // Skopeo is a process each time, and takes a processor for itself.
  const limit = new WeightedLimit({ count: 2 })

  beforeAll(async () => {
    registries = await startBothRegistries()
  })
  afterAll(() => registries[Symbol.asyncDispose]())

  describe.each(REGISTRY_KINDS)('to %s', kind => {
    it.concurrent.each(taken.map(image => [image.name, image] as const))(
      'reads and copies %s with the same digest',
      async (name, image) => {
        await limit.run(1, async () => {
          const host = registries.hostOf(kind)
          await using client = testClient()
          const { pushed } = await pushEach(client, host, image.path, repositoryFor(name))
          expect(pushed.map(({ result }) => result.error)).toEqual(pushed.map(() => undefined))
          for (const { result } of pushed) {
            if (result.root === undefined) throw new Error(`${name} was pushed without a manifest`)
            await readWithSkopeo(host, result.target.name, result.root)
          }
        })
      },
    )
  })
})

/** Inspects what was pushed, and copies it out with everything below it, as far as skopeo 1.9 can. */
async function readWithSkopeo(host: string, name: string, root: Descriptor): Promise<void> {
  const reference = `docker://${host}/${name}:latest`
  if (await canInspect(host, name)) {
    const inspected = await skopeo('inspect', '--tls-verify=false', reference)
    expect(JSON.parse(inspected.stdout)).toMatchObject({ Digest: root.digest })
  } else {
    const { stdoutBytes } = await skopeo('inspect', '--raw', '--tls-verify=false', reference)
    expect(sha256(stdoutBytes)).toBe(root.digest)
  }
  if (!(await canCopy(host, name))) return
  await using folder = await temporaryFolder()
  const isOci = root.mediaType === MediaType.ociManifest || root.mediaType === MediaType.ociIndex
  const target = isOci ? `oci:${folder.path}:latest` : `dir:${folder.path}`
  const flags = ['--all', '--preserve-digests', '--insecure-policy', '--src-tls-verify=false']
  await skopeo('copy', ...flags, reference, target)
  if (isOci) {
    const index = JSON.parse(await readFile(join(folder.path, 'index.json'), 'utf8'))
    expect(index.manifests[0]).toMatchObject({ digest: root.digest, size: root.size })
  } else expect(sha256(await readFile(join(folder.path, 'manifest.json')))).toBe(root.digest)
}

/**
 * `skopeo inspect` wants an image for its own platform, with a config that says it is an image. Of artifacts and of
 * indexes for other platforms it gives the bytes alone.
 */
async function canInspect(host: string, name: string): Promise<boolean> {
  const image = await fetchImageFor(host, name, process.arch === 'x64' ? 'amd64' : process.arch)
  const type = image?.config?.mediaType
  return type === MediaType.ociConfig || type === MediaType.dockerConfig
}

/**
 * `skopeo copy` 1.9 takes no index inside an index, and forgets the `artifactType` of an index's entries, whereupon it
 * refuses to keep the digest.
 */
async function canCopy(host: string, name: string): Promise<boolean> {
  const { manifests = [] } = await fetchManifest(host, name, 'latest')
  return manifests.every(
    ({ mediaType, artifactType }) =>
      artifactType === undefined &&
      mediaType !== MediaType.ociIndex &&
      mediaType !== MediaType.dockerManifestList,
  )
}

/** Runs skopeo for someone who is logged in nowhere. */
async function skopeo(...parameters: string[]): Promise<RunResult> {
  await using home = await temporaryFolder()
  const result = await run('skopeo', parameters, { env: cleanEnvironment(home.path) })
  if (result.code !== 0) throw new Error(`skopeo ${parameters.join(' ')} failed: ${result.stderr}`)
  return result
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
