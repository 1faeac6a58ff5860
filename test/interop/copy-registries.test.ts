import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../e2e/test-registry.js'
import { Cosign } from '../support/cosign.js'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { imagePath, missingImages } from '../support/images.js'
import { missingPeer, peer } from '../support/peers.js'
import { type RegistrySnapshot, snapshotOf } from '../support/registry-snapshot.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { fetchManifest } from './registry-documents.js'

const missing = missingTool('docker-registry') ?? missingPeer('cosign', 'crane', 'oras') ?? missingImages()

/** What is in the repository that is copied, by tag: an image for three platforms, an index in an index, an artifact. */
const TAGS = ['multi', 'nested', 'artifact']

describe.skipIf(missing !== undefined)('a repository that other tools have filled', () => {
  let folder: TemporaryFolder
  /** These keep lists of referrers under tags, and the one between them by an API. */
  let first: DockerRegistry
  let second: TestRegistry
  let third: DockerRegistry
  let whole: RegistrySnapshot

  beforeAll(async () => {
    folder = await temporaryFolder()
    first = await startDockerRegistry()
    second = await startRegistry()
    third = await startDockerRegistry()
    whole = await fill(`${first.host}/team/app`)
  }, 180_000)

  afterAll(async () => {
    await first[Symbol.asyncDispose]()
    await second[Symbol.asyncDispose]()
    await third[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  async function fill(repository: string): Promise<RegistrySnapshot> {
    await run('push', imagePath('buildkit-oci-multi-attest.tar'), `${repository}:multi`)
    await run('push', imagePath('crane-nested-index'), `${repository}:nested`)
    await writeFile(join(folder.path, 'report.txt'), 'all is well\n')
    const oras = (...parameters: string[]) => peer('oras', parameters, { cwd: folder.path })
    await oras(
      'push',
      '--plain-http',
      '--artifact-type',
      'application/x.report',
      `${repository}:artifact`,
      FILE,
    )
    for (const tag of TAGS) {
      // An SBOM, say, and what somebody says of that.
      const sbom = await attach(`${repository}:${tag}`, 'application/x.sbom')
      await attach(`${repository}@${sbom}`, 'application/x.approval')
    }
    await using cosign = await Cosign.open()
    const { stdout } = await regctl('digest', `${repository}:multi`)
    for (const form of ['digest tags', 'referrers'] as const) {
      await cosign.sign(`${repository}@${stdout.trim()}`, form)
      await cosign.attest(`${repository}@${stdout.trim()}`, { checked: true }, form)
    }
    return await snapshot(first.host, 'team/app')

    async function attach(reference: string, type: string): Promise<string> {
      const flags = ['--plain-http', '--artifact-type', type, '--format', 'json']
      return JSON.parse((await oras('attach', ...flags, reference, FILE)).stdout).digest
    }
  }

  it('has what is looked for in the copies', () => {
    const { tags, referrers, manifests } = whole
    const signatures = Object.keys(tags).filter(tag => /^sha256-[0-9a-f]{64}\.(?:sig|att)$/.test(tag))
    // The index and its six manifests are signed; the index is attested.
    expect(Object.keys(tags).sort()).toEqual([...TAGS, ...signatures].sort())
    expect(signatures).toHaveLength(8)
    expect(referrers[tags.multi ?? '']).toHaveLength(3)
    for (const tag of TAGS) expect(referrers[tags[tag] ?? '']?.some(digest => digest in referrers)).toBe(true)
    expect(manifests.length).toBeGreaterThan(30)
  })

  it('arrives tag by tag with all that refers to it, in a registry with lists and in one without', async () => {
    for (const tag of TAGS) {
      await run('copy', `${first.host}/team/app:${tag}`, `${second.host}/copy:${tag}`, '--referrers')
      await run('copy', `${second.host}/copy:${tag}`, `${third.host}/a/copy:${tag}`, '--referrers')
    }
    expect(await snapshot(second.host, 'copy')).toEqual(whole)
    expect(await snapshot(third.host, 'a/copy')).toEqual(whole)
  })

  it('is the same to oras and crane', async () => {
    for (const tag of TAGS) {
      const origin = await discover(`${first.host}/team/app:${tag}`)
      const copies = [
        await discover(`${second.host}/copy:${tag}`),
        await discover(`${third.host}/a/copy:${tag}`),
      ]
      expect(copies[1]).toEqual(copies[0])
      expect(JSON.stringify(copies[0])).toContain('application/x.approval')
      // Where there is no API cosign notes another artifactType in the list than the manifest has.
      expect(withoutTypes(copies[0])).toEqual(withoutTypes(origin))
    }
    for (const repository of [`${second.host}/copy`, `${third.host}/a/copy`]) {
      const { stdout } = await peer('crane', ['ls', '--omit-digest-tags', repository])
      expect(stdout.trim().split('\n').sort()).toEqual([...TAGS].sort())
      // An attestation is no image to it, so the platforms are looked at one by one.
      for (const platform of ['linux/amd64', 'linux/arm64', 'linux/arm/v7'])
        await peer('crane', ['validate', '--remote', `${repository}:multi`, '--platform', platform])
      const nested = await peer('crane', ['digest', `${repository}:nested`])
      expect(nested.stdout.trim()).toBe(whole.tags.nested)
    }
  })

  it('is written once: a second copy changes nothing', async () => {
    const changes = async () => [
      ...second.writes(),
      ...(await third.requests()).filter(({ method }) => !['GET', 'HEAD'].includes(method)),
    ]
    const before = await changes()
    expect(before.length).toBeGreaterThan(0)
    for (const tag of TAGS) {
      await run('copy', `${first.host}/team/app:${tag}`, `${second.host}/copy:${tag}`, '--referrers')
      await run('copy', `${second.host}/copy:${tag}`, `${third.host}/a/copy:${tag}`, '--referrers')
    }
    expect(await changes()).toEqual(before)
  })

  it('is copied within its registry without the bytes of any layer', async () => {
    const before = (await first.requests()).length
    for (const tag of TAGS) {
      await run('copy', `${first.host}/team/app:${tag}`, `${first.host}/other/app:${tag}`, '--referrers')
    }
    const requests = (await first.requests()).slice(before).filter(({ path }) => path.includes('/blobs/'))
    const mounts = requests.filter(({ method, path }) => method === 'POST' && path.includes('mount='))
    expect(mounts).toHaveLength(whole.blobs.length)
    expect(new Set(mounts.map(({ status }) => status))).toEqual(new Set([201]))
    expect(requests.filter(({ method }) => method === 'PUT' || method === 'PATCH')).toEqual([])
    // Configs are read, for the names of the layers in the output.
    const read = requests.filter(({ method }) => method === 'GET').map(({ path }) => path.split('/blobs/')[1])
    const documents = await Promise.all(
      whole.manifests.map(digest => fetchManifest(first.host, 'team/app', digest)),
    )
    const configs = new Set(documents.map(({ config }) => config?.digest))
    expect(read.filter(digest => !configs.has(digest))).toEqual([])
    expect(await snapshot(first.host, 'other/app')).toEqual(whole)
  })

  it('arrives in one run with --all-tags', async () => {
    const copied = await regctl(
      'copy',
      `${first.host}/team/app`,
      `${second.host}/all`,
      '--all-tags',
      '--referrers',
    )
    expect(copied).toMatchObject({ code: 0, stderr: '' })
    expect(await snapshot(second.host, 'all')).toEqual(whole)
  })
})

/** What the artifacts are made of, in the folder where oras runs. */
const FILE = 'report.txt'

/** Runs `regctl` and wants it to succeed without a word of warning. */
async function run(...parameters: string[]): Promise<void> {
  const { code, stderr } = await regctl(...parameters)
  expect({ parameters, code, stderr }).toEqual({ parameters, code: 0, stderr: '' })
}

/** All that hangs on a repository's tags. The tags that stand in for lists of referrers are left out. */
async function snapshot(host: string, repository: string): Promise<RegistrySnapshot> {
  const response = await fetch(`http://${host}/v2/${repository}/tags/list`)
  const { tags } = (await response.json()) as { tags: string[] }
  return await snapshotOf(host, repository, tags.filter(tag => !/^sha256-[0-9a-f]{64}$/.test(tag)).sort())
}

/** A referrer, or what has referrers, as oras tells it. */
interface Discovered {
  digest: string
  artifactType?: string
  referrers?: Discovered[]
}

/** What oras finds at a reference, without the places. */
async function discover(reference: string): Promise<Discovered> {
  const { stdout } = await peer('oras', ['discover', '--plain-http', '--format', 'json', reference])
  const withoutPlaces = ({ digest, artifactType, referrers = [] }: Discovered): Discovered => ({
    digest,
    ...(artifactType !== undefined && { artifactType }),
    referrers: referrers.map(withoutPlaces).sort((a, b) => (a.digest < b.digest ? -1 : 1)),
  })
  return withoutPlaces(JSON.parse(stdout))
}

function withoutTypes(discovered: Discovered | undefined): unknown {
  return discovered && [discovered.digest, ...(discovered.referrers ?? []).map(withoutTypes)]
}
