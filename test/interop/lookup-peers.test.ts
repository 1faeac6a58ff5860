import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { imagePath, missingImages } from '../support/images.js'
import { missingPeer, peer } from '../support/peers.js'
import { regctl } from '../support/run.js'
import { missingTool } from '../support/tools.js'
import { repositoryFor } from './image-matrix.js'
import { fetchManifest } from './registry-documents.js'

const missing = missingTool('docker-registry') ?? missingPeer('crane', 'oras') ?? missingImages()

/** An index of three platforms with attestations, one of the OCI's images, one of Docker's, and one with zstd layers. */
const IMAGES = [
  'buildkit-oci-multi-attest.tar',
  'crane-pull-oci',
  'docker20-dup-layers.tar',
  'buildkit-oci-zstd.tar',
]

describe.skipIf(missing !== undefined)('what regctl tells of a registry', () => {
  let registry: DockerRegistry

  beforeAll(async () => {
    registry = await startDockerRegistry()
    for (const name of IMAGES) {
      const repository = `${registry.host}/${repositoryFor(name)}`
      const { code } = await regctl('push', imagePath(name), `${repository}:1`, `${repository}:latest`)
      expect(code).toBe(0)
    }
  })

  afterAll(() => registry[Symbol.asyncDispose]())

  /** The bytes that both write to standard output. */
  async function expectSame(ours: readonly string[], theirs: readonly string[]): Promise<void> {
    const result = await regctl(...ours)
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(result.stdoutBytes.length).toBeGreaterThan(0)
    expect(result.stdoutBytes.equals((await peer('crane', theirs)).stdoutBytes)).toBe(true)
  }

  it.each(IMAGES)('is what crane tells: digest, manifest, config and layers of %s', async name => {
    const reference = `${registry.host}/${repositoryFor(name)}:1`
    const platform = ['--platform', 'linux/amd64']
    await expectSame(['digest', reference], ['digest', reference])
    await expectSame(['manifest', reference], ['manifest', reference])
    await expectSame(['config', reference, ...platform], ['config', ...platform, reference])
    const manifest = await regctl('manifest', reference, ...platform)
    for (const { digest } of JSON.parse(manifest.stdout).layers) {
      const blob = `${registry.host}/${repositoryFor(name)}@${digest}`
      await expectSame(['blob', blob], ['blob', blob])
    }
  })

  it('is what crane and oras tell: repositories and tags', async () => {
    await expectSame(['catalog', registry.host], ['catalog', registry.host])
    const repository = `${registry.host}/${repositoryFor('crane-pull-oci')}`
    // They have the registry's order.
    const sorted = (stdout: string) => stdout.trim().split('\n').sort()
    const ours = sorted((await regctl('tags', repository)).stdout)
    expect(ours).toEqual(['1', 'latest'])
    expect(sorted((await peer('crane', ['ls', repository])).stdout)).toEqual(ours)
    const oras = await peer('oras', ['repo', 'tags', '--plain-http', repository])
    expect(sorted(oras.stdout)).toEqual(ours)
  })

  it('is changed as crane changes it: a tag leads both to the same image', async () => {
    const repository = repositoryFor('crane-pull-oci')
    const name = `${registry.host}/${repository}`
    await peer('crane', ['tag', `${name}:1`, 'by-crane'])
    expect(await regctl('tag', `${name}:1`, 'by-regctl')).toMatchObject({ code: 0, stderr: '' })
    const original = await fetchManifest(registry.host, repository, '1')
    for (const tag of ['by-crane', 'by-regctl'])
      expect(await fetchManifest(registry.host, repository, tag)).toEqual(original)
  })
})
