import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { expectedOf, imagePath, missingImages } from '../support/images.js'
import { regctl, regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingDockerEngine, missingTool } from '../support/tools.js'
import { repositoryFor } from './image-matrix.js'
import { parsePushLines } from './push-lines.js'
import { fetchDiffIDs, fetchImageFor } from './registry-documents.js'

const missing = missingDockerEngine() ?? missingTool('docker-registry') ?? missingImages()

describe.skipIf(missing !== undefined)('beside a Docker Engine', () => {
  let engine: DockerEngine
  let registry: DockerRegistry
  let folder: TemporaryFolder

  beforeAll(async () => {
    engine = await startDockerEngine()
    registry = await startDockerRegistry()
    folder = await temporaryFolder()
  })
  afterAll(async () => {
    await engine[Symbol.asyncDispose]()
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** Runs `docker` and wants it to succeed. */
  async function docker(...parameters: string[]): Promise<string> {
    const { code, stdout, stderr } = await engine.docker(...parameters)
    if (code !== 0) throw new Error(`docker ${parameters.join(' ')} failed: ${stderr}`)
    return stdout
  }

  async function pushWithDocker(image: string, repository: string): Promise<string> {
    await docker('tag', image, `${repository}:latest`)
    return await docker('push', `${repository}:latest`)
  }

  async function pushWithRegctl(path: string, ...repositories: string[]): Promise<string> {
    const { code, stdout, stderr } = await regctl('push', path, ...repositories)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }

  async function twelveLayers(): Promise<string> {
    const path = join(folder.path, 'twelve.tar')
    const layers = Array.from({ length: 12 }, (_, position) => ({ seed: position, size: 40_000 }))
    await writeDockerArchive(path, [{ layers, repoTags: ['acme/twelve:1'] }])
    return path
  }

  describe.each([
    ['repeated layers', async () => imagePath('docker20-dup-layers.tar'), 5, 3],
    ['both faces', async () => imagePath('docker28-one.tar'), 2, 2],
    ['twelve layers', twelveLayers, 12, 12],
  ])('an image with %s', (kind, open, mentions, layers) => {
    let path: string
    let image: string
    const repositories = () =>
      ['docker', 'regctl'].map(tool => `${registry.host}/${repositoryFor(kind)}/${tool}`) as [string, string]

    beforeAll(async () => {
      path = await open()
      const loaded = await docker('load', '-i', path)
      image = /^Loaded image: (.*)$/m.exec(loaded)?.[1] ?? ''
    })

    it('is pushed in the words of docker push', async () => {
      const [one, other] = repositories()
      const theirs = parsePushLines(await pushWithDocker(image, one))
      const ours = parsePushLines(await pushWithRegctl(path, other))
      expect(theirs.header).toBe(`The push refers to repository [${one}]`)
      expect(ours.header).toBe(`The push refers to repository [${other}]`)
      expect(ours.prepared).toHaveLength(mentions)
      expect(ours.prepared).toEqual(theirs.prepared)
      expect(Object.keys(ours.outcomes)).toHaveLength(layers)
      expect(new Set(Object.values(ours.outcomes))).toEqual(new Set(['Pushed']))
      expect(ours.outcomes).toEqual(theirs.outcomes)
      expect(ours.trailer).toBe(theirs.trailer)
      // The layers are compressed by another zlib, so that a size may have a digit more or less.
      expect(Math.abs(ours.size - theirs.size)).toBeLessThanOrEqual(layers)
    })

    it('is not sent again, and said to be there in the same words', async () => {
      const [one, other] = repositories()
      const theirs = parsePushLines(await pushWithDocker(image, one))
      const before = (await registry.requests()).length
      const ours = parsePushLines(await pushWithRegctl(path, other))
      expect(Object.keys(ours.outcomes)).toHaveLength(layers)
      expect(new Set(Object.values(ours.outcomes))).toEqual(new Set(['Layer already exists']))
      expect(ours).toEqual({ ...theirs, header: ours.header, digest: ours.digest, size: ours.size })
      const requests = (await registry.requests()).slice(before)
      expect(requests.length).toBeGreaterThan(0)
      // Small layers are asked for by a mount from the repository itself.
      const isLook = ({ method, path, status }: (typeof requests)[number]) =>
        method === 'HEAD' || (path.includes('?mount=') && status === 201)
      expect(requests.filter(one => one.path.includes('/blobs/') && !isLook(one))).toEqual([])
    })

    it('is mounted into a second repository, and said to be in the same words', async () => {
      const [one, other] = repositories()
      const theirs = parsePushLines(await pushWithDocker(image, `${one}/again`))
      const stdout = await pushWithRegctl(path, `${other}/first`, `${other}/second`)
      const second = parsePushLines(stdout.slice(stdout.lastIndexOf('The push refers')))
      expect(second.prepared).toEqual(theirs.prepared)
      expect(new Set(Object.values(theirs.outcomes))).toEqual(new Set([`Mounted from ${nameOf(one)}`]))
      expect(new Set(Object.values(second.outcomes))).toEqual(
        new Set([`Mounted from ${nameOf(other)}/first`]),
      )
      expect(Object.keys(second.outcomes).sort()).toEqual(Object.keys(theirs.outcomes).sort())
    })
  })

  // Images with zstd layers are not among them: this engine may be an old one, which does not know zstd.
  it.each([
    'buildkit-oci-gzip.tar',
    'buildkit-oci-multi-attest.tar',
    'busybox-gzip.oci.tar',
    'containerify.tar',
    'crane-append.tar',
    'crane-nested-index',
    'crane-pull-oci',
    'crane-pull-tarball.tar',
    'docker20-dup-layers.tar',
    'docker20-one.tar',
    'docker28-whiteout.tar',
    'docker28c-one.tar',
    'podman43-docker-archive.tar',
    'podman54-docker-dir',
    'podman54-oci-dir',
    'podman58-docker-archive.tar',
    'regctl-import',
    'skopeo122-dir',
    'skopeo122-dir-all',
    'skopeo122-oci-uncompressed',
    'third-party/almostempty.tar',
    'third-party/bazel-whiteout.tar',
    'umoci06-empty.tar',
    'variants/da-gzip-layers.tar',
  ])('pulls %s as it was pushed', async name => {
    const repository = `pull/${repositoryFor(name)}`
    const reference = `${registry.host}/${repository}`
    const pushed = parsePushLines(await pushWithRegctl(imagePath(name), reference))
    const pulled = await docker('pull', reference)
    const inspected = JSON.parse(await docker('image', 'inspect', reference))[0]
    // The next image shall not find layers of this one.
    await docker('rmi', '--force', inspected.Id)

    expect(pulled).toContain(`Digest: ${pushed.digest}\n`)
    const image = await fetchImageFor(registry.host, repository, 'amd64')
    if (image === undefined) throw new Error(`${name} has no image for amd64`)
    expect(inspected.Id).toBe(image.config?.digest)
    expect(inspected.RootFS.Layers ?? []).toEqual(await fetchDiffIDs(registry.host, repository, inspected.Id))
    const { docker: [expected] = [], oci, dir } = expectedOf(name)
    if (expected !== undefined) {
      expect(inspected.Id).toBe(expected.config)
      expect(inspected.RootFS.Layers).toEqual(expected.diff_ids)
    }
    const roots = [...(oci?.roots ?? []), ...(dir === undefined ? [] : [dir])].map(root => root.digest)
    expect(expected !== undefined || roots.includes(pushed.digest)).toBe(true)
  })

  it('pulls in the words of docker pull', async () => {
    const reference = `${registry.host}/words:latest`
    await pushWithRegctl(imagePath('docker28-whiteout.tar'), reference)
    const pullTwice = async (pull: () => Promise<string>) => [await pull(), await pull()] as const
    const theirs = await pullTwice(() => docker('pull', reference))
    const target = join(folder.path, 'pulled')
    const ours = await pullTwice(async () => (await regctl('pull', reference, target)).stdout)
    expect(orderedLines(ours[0])).toEqual(orderedLines(theirs[0]))
    expect(orderedLines(ours[0])).toHaveLength(1 + 4 + 4 + 1)
    expect(statusOf(theirs[0])).toBe(`Downloaded newer image for ${reference}`)
    expect(statusOf(ours[0])).toBe(`Downloaded newer image for ${reference}`)
    expect(statusOf(theirs[1])).toBe(`Image is up to date for ${reference}`)
    expect(statusOf(ours[1])).toBe(`Image is up to date for ${reference}`)
  })

  it('saves an image straight into a push, which keeps its ID', async () => {
    const name = 'docker20-dup-layers.tar'
    const tag = 'acme/dup:1.0'
    const expected = expectedOf(name).docker?.[0]
    await docker('load', '-i', imagePath(name))
    const save = spawn('docker', ['save', tag], { env: engine.env, stdio: ['ignore', 'pipe', 'inherit'] })
    const saved = once(save, 'exit')
    const reference = `${registry.host}/saved`
    const result = await regctlWith({ stdin: save.stdout }, 'push', '-', reference)
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(await saved).toEqual([0, null])
    const image = await fetchImageFor(registry.host, 'saved', 'amd64')
    expect(image?.config?.digest).toBe(expected?.config)
    // However the file was saved: the same image gets the same digest.
    const direct = await regctl('digest', imagePath(name))
    expect(direct.stdout).toBe(`${parsePushLines(result.stdout).digest}\n`)
  })
})

/** What a pull says in an order that is the same each time: downloads end in any. */
function orderedLines(stdout: string): string[] {
  return stdout.split('\n').filter(line => /: Pull|^Digest: /.test(line))
}

function statusOf(stdout: string): string | undefined {
  return /^Status: (.*)$/m.exec(stdout)?.[1]
}

function nameOf(repository: string): string {
  return repository.slice(repository.indexOf('/') + 1)
}
