import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DockerRegistry } from '../support/docker-registry.js'
import { brokenImages, missingImages, type TestImage, validImages } from '../support/images.js'
import { readPeakMemory, withPeakMemory } from '../support/peak-memory.js'
import { regctl, regctlWith } from '../support/run.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { type BothRegistries, REGISTRY_KINDS, startBothRegistries } from './both-registries.js'
import { pushEach, readBack, repositoryFor, testClient } from './image-matrix.js'

/** Somebody changed this file's config by hand and kept its name, so it wants a flag: see the test of its own. */
const EDITED_CONFIG = 'third-party/bazel-empty-history.tar'
/** Its descriptors say OCI where the documents say Docker: just the entry of an image can be pushed. */
const LYING_DESCRIPTORS = 'third-party/ggcr-test-index'
/** What 100 MB of headroom above a bare run leave: nothing here may be held in memory. */
const MEMORY_LIMIT_MB = 250

const missing = missingTool('docker-registry') ?? missingImages()
const taken = validImages().filter(
  image =>
    (image.expected.taken_by ?? []).length > 0 && ![EDITED_CONFIG, LYING_DESCRIPTORS].includes(image.name),
)

describe.skipIf(missing !== undefined)('push of real images', () => {
  let registries: BothRegistries
  let registry: DockerRegistry

  beforeAll(async () => {
    registries = await startBothRegistries()
    registry = registries.dockerRegistry
  })
  afterAll(() => registries[Symbol.asyncDispose]())

  describe.each(REGISTRY_KINDS)('to %s', kind => {
    it.each(taken.map(image => [image.name, image] as const))(
      'keeps the digests of %s',
      async (name, image) => {
        const host = registries.hostOf(kind)
        // A client of its own for each file: blobs that are there already would hide faults.
        await using client = testClient()
        const repository = repositoryFor(name)
        const { format, pushed } = await pushEach(client, host, image.path, repository)
        expect(pushed.map(({ result }) => result.error)).toEqual(pushed.map(() => undefined))
        const arrived = []
        for (const position of pushed.keys()) {
          const { digest, config } = await readBack(client, host, `${repository}/${position}`)
          arrived.push(format === 'docker-archive' ? config : digest)
        }
        expect(arrived.sort()).toEqual(expectedDigests(image, format).sort())
      },
    )
  })

  it('takes a config that was edited by hand when it is told to, and says how', async () => {
    const path = validImages().find(({ name }) => name === EDITED_CONFIG)?.path ?? ''
    const refused = await regctl('push', path, `${registry.host}/edited`)
    expect(refused.code).toBe(6)
    expect(refused.stderr).toMatch(/^error: config .* should have the digest .*\nhint: .*--trust-config/m)
    const trusted = await regctl('push', path, `${registry.host}/edited`, '--trust-config')
    expect(trusted).toMatchObject({ code: 0, stderr: '' })
  })

  it('pushes the images of a layout whose other descriptors lie, and refuses those', async () => {
    const path = validImages().find(({ name }) => name === LYING_DESCRIPTORS)?.path ?? ''
    const image = 'sha256:05f95b26ed10668b7183c1e2da98610e91372fa9f510046d4ce5812addad86b5'
    const pushed = await regctl(
      'push',
      path,
      `${registry.host}/lying/image`,
      '--image',
      `@${image}`,
      '--quiet',
    )
    expect(pushed).toMatchObject({ code: 0, stdout: `${registry.host}/lying/image@${image}\n` })
    const unknown = 'sha256:32589985702551b6c56033bb3334432a0a513bf9d6aceda0f67c42b003850720'
    const refused = await regctl('push', path, `${registry.host}/lying/unknown`, '--image', `@${unknown}`)
    expect(refused.code).toBe(6)
    expect(refused.stderr).toContain(
      'the media type "application/vnd.oci.descriptor.v1+json", which is not known',
    )
  })

  const broken = brokenImages()
  it.each(broken.map(image => [image.name, image] as const))(
    'does with %s what its class says',
    async (name, image) => {
      await using folder = await temporaryFolder()
      const env = withPeakMemory(folder.path)
      const repository = `broken/${repositoryFor(name)}`
      const reference = `${registry.host}/${repository}`
      const { code, stdout, stderr } = await regctlWith({ env }, 'push', image.path, reference, '--json')
      const allowed = classesOf(image.expected.error ?? '')
      const document = JSON.parse(stdout)
      const error = document.error ?? document.targets[0].error
      expect(allowed).toContain(error?.code ?? 'ok')
      expect(stderr).not.toMatch(/\n {4}at /)
      expect(readPeakMemory(folder.path)).toBeLessThan(MEMORY_LIMIT_MB)
      if (error === undefined) {
        expect(code).toBe(0)
        return
      }
      expect([3, 6]).toContain(code)
      expect(error.message).not.toContain('\n')
      expect(await manifestsOf(registry, repository)).toEqual([])
    },
  )
})

function expectedDigests({ expected }: TestImage, format: string): (string | undefined)[] {
  if (format === 'docker-archive') return (expected.docker ?? []).map(image => image.config)
  if (format === 'dir') return [expected.dir?.digest]
  return [...new Set((expected.oci?.roots ?? []).map(root => root.digest))]
}

/** `x-or-y` allows either; `unsafe-or-ignored` an error about the unsafe name, or a push without that member. */
function classesOf(text: string): string[] {
  if (text === 'unsafe-or-ignored') return ['ok', 'unsafe-path', 'unsafe-link']
  return text.split('-or-')
}

/** The manifests and tags in a repository's storage. */
async function manifestsOf(registry: DockerRegistry, repository: string): Promise<string[]> {
  const folder = join(registry.storage, 'docker/registry/v2/repositories', repository, '_manifests')
  return await readdir(folder, { recursive: true }).catch(() => [])
}
