import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type BuiltImage, buildImage, buildIndex, writeLayout } from '../support/image-builder.js'
import { imagePath, missingImages } from '../support/images.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl, regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { readTar } from './tar-files.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const PLATFORMS = ['amd64', 'arm64', 's390x'].map(architecture => ({ os: 'linux', architecture }))

describe('regctl copy', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  let images: BuiltImage[]
  /** An index of three platforms, in the layout and under `app:1`. */
  let digest: string
  let layout: string
  const at = (name: string) => join(folder.path, name)

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startRegistry()
    layout = at('layout')
    images = await Promise.all(
      PLATFORMS.map(platform => buildImage({ platform, layers: [{ a: platform.architecture }] })),
    )
    const manifests = images.map(({ manifest }) => manifest)
    const index = buildIndex(
      manifests.map((manifest, position) => ({
        manifest,
        platform: PLATFORMS[position] ?? { os: '', architecture: '' },
      })),
    )
    digest = index.descriptor.digest
    const blobs = new Map(images.flatMap(image => [...image.blobs]))
    await writeLayout(layout, [{ manifest: index, tag: '1' }], blobs, manifests)
    await writeDockerArchive(at('image.tar'), [{ layers: [{ a: 'a\n' }], repoTags: ['acme/first:v1'] }])
    expect(await regctl('copy', `oci:${layout}:1`, `${registry.host}/app:1`)).toMatchObject({ code: 0 })
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('moves no bytes within a registry: blobs are mounted', async () => {
    const { host } = registry
    const before = registry.requests().length
    const copied = await regctl('copy', `${host}/app:1`, `${host}/mirror/app:3`)
    expect(copied).toMatchObject({ code: 0, stderr: '' })
    expect(copied.stdout).toContain('Mounted from app\n')
    expect(copied.stdout).toContain(`3: digest: ${digest} size: `)
    // The configs are read, for the diffIDs that the lines begin with; no layer is.
    const configs = images.map(({ config }) => `GET /v2/app/blobs/${config.digest}`)
    const bodies = registry
      .requests()
      .slice(before)
      .filter(line => /^(?:GET|PUT|PATCH) .*\/blobs\//.test(line))
    expect(bodies.sort()).toEqual(configs.sort())
    expect((await registry.manifest('mirror/app', '3'))?.digest).toBe(digest)
  })

  it('sends nothing the second time, and asks for no blob', async () => {
    await using other = await startRegistry()
    const first = await regctl('cp', `${registry.host}/app:1`, `${other.host}/x:1`)
    expect(first).toMatchObject({ code: 0, stderr: '' })
    for (const { manifest } of images) {
      const { digest: child } = manifest.descriptor
      expect((await other.manifest('x', child))?.digest).toBe(child)
    }
    const before = other.requests().length
    const second = await regctl('copy', `${registry.host}/app:1`, `${other.host}/x:1`)
    expect(second).toMatchObject({ code: 0, stderr: '' })
    expect(second.stdout).toContain('Layer already exists\n')
    const asked = other.requests().slice(before)
    expect(asked.length).toBeGreaterThan(0)
    expect(asked.filter(line => !/^HEAD \/v2\/x\/manifests\/|^GET \/v2\/$/.test(line))).toEqual([])
    const beforeRecheck = other.requests().length
    const recheck = await regctl('copy', `${registry.host}/app:1`, `${other.host}/x:1`, '--recheck')
    expect(recheck.code).toBe(0)
    // A mount from the repository itself tells whether a small blob is there.
    const looks = other
      .requests()
      .slice(beforeRecheck)
      .filter(line => line.includes('/blobs/'))
    expect(looks.length).toBeGreaterThan(0)
    expect(new Set(looks)).toEqual(new Set(['POST /v2/x/blobs/uploads/']))
  })

  it('serves several destinations in one run, and one that fails does not stop the others', async () => {
    await using readOnly = await startRegistry({ readOnly: true })
    await using other = await startRegistry()
    const run = ['copy', `oci:${layout}:1`, `${readOnly.host}/x:1`, `${other.host}/x:1`, `${other.host}/x:2`]
    const { code, stdout, stderr } = await regctl(...run, at('several.tar'), '--format', 'oci-archive')
    expect(code).not.toBe(0)
    expect(stderr.match(/^error: /gm)).toHaveLength(1)
    expect(stdout).toContain(`Copying to ${other.host}/x\n`)
    expect(stdout).toContain(`2: digest: ${digest} size: `)
    expect((await other.manifest('x', '2'))?.digest).toBe(digest)
    expect((await readTar(at('several.tar'))).has(`blobs/${digest.replace(':', '/')}`)).toBe(true)
    const json = await regctl(...run, '--json')
    expect(schemaErrors('copy', json.stdout)).toEqual([])
    expect(JSON.parse(json.stdout)).toMatchObject({
      source: `${layout}:1`,
      targets: [
        { destination: `${readOnly.host}/x`, error: { kind: expect.any(String) } },
        { destination: `${other.host}/x`, tags: ['1', '2'], digest, bytes: 0, blobs: { exists: 6 } },
      ],
    })
    expect(json.code).toBe(code)
  })

  it('makes a new index of some platforms, and says so', async () => {
    const flags = ['--platform', 'linux/amd64', '--platform', 'linux/arm64']
    const copied = await regctl('copy', `${registry.host}/app:1`, `${registry.host}/two:1`, ...flags)
    expect(copied).toMatchObject({ code: 0, stderr: '' })
    const stored = await registry.manifest('two', '1')
    expect(copied.stdout).toContain(
      `New index ${stored?.digest} with the platforms asked for, out of ${digest}\n`,
    )
    expect(stored?.document.manifests?.map(({ platform }) => platform?.architecture)).toEqual([
      'amd64',
      'arm64',
    ])
    expect(stored?.document).toMatchObject({ annotations: { 'regctl.source.digest': digest } })
    const json = await regctl('copy', `oci:${layout}`, `${registry.host}/two:2`, ...flags, '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      targets: [{ digest: stored?.digest, sourceDigest: digest }],
    })
    expect(schemaErrors('copy', json.stdout)).toEqual([])
    const none = await regctl('copy', layout, `${registry.host}/two:3`, ...flags, '--platform', 'linux/mips')
    expect(none.code).toBe(3)
    expect(none.stderr).toContain('hint: It has linux/amd64, linux/arm64, linux/s390x\n')
  })

  it('copies one platform of an index, and plans with --dry-run', async () => {
    const { host } = registry
    const arm = await regctl('copy', `oci:${layout}`, `${host}/y:1`, '--platform', 'linux/arm64')
    expect(arm.code).toBe(0)
    expect((await registry.manifest('y', '1'))?.digest).toBe(images[1]?.manifest.descriptor.digest)
    const writes = registry.writes().length
    const dry = await regctl('copy', `oci:${layout}`, `${host}/z:1`, '--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toContain(`Nothing was sent: ${host}/z@${digest} (6 blobs to send, `)
    expect(registry.writes()).toHaveLength(writes)
    expect(await registry.manifest('z', '1')).toBeUndefined()
    for (const file of [`dir:${at('planned')}`, `oci:${at('planned')}`, at('planned')]) {
      const planned = await regctl('copy', `oci:${layout}:1`, file, '--platform', 'linux/amd64', '--dry-run')
      expect(planned).toMatchObject({ code: 0, stderr: '' })
      expect(planned.stdout).toContain('(2 blobs to send, ')
    }
    await expect(readFile(at('planned'))).rejects.toThrow('ENOENT')
  })

  it('refuses with --no-overwrite a tag that is another image, and a file', async () => {
    const { host } = registry
    expect((await regctl('copy', at('image.tar'), `${host}/kept:1`)).code).toBe(0)
    const writes = registry.writes().length
    const refused = await regctl('copy', `${host}/app:1`, `${host}/kept:1`, '--no-overwrite', '--json')
    expect(refused.code).toBe(1)
    expect(JSON.parse(refused.stdout)).toMatchObject({ targets: [{ error: { code: 'tag-exists' } }] })
    expect(schemaErrors('copy', refused.stdout)).toEqual([])
    expect(registry.writes()).toHaveLength(writes)
    const same = await regctl('copy', at('image.tar'), `${host}/kept:1`, '--no-overwrite')
    expect(same).toMatchObject({ code: 0, stderr: '' })
    const file = await regctl('copy', `${host}/app:1`, at('image.tar'), '--no-overwrite')
    expect(file.code).toBe(1)
    expect(file.stderr).toMatch(/^error: .*image\.tar exists already\nhint: /)
  })

  it('copies from file to file, with the name that is stated or that the image brings along', async () => {
    expect(await regctl('copy', at('image.tar'), `oci:${at('out')}`)).toMatchObject({ code: 0, stderr: '' })
    const index = JSON.parse(await readFile(join(at('out'), 'index.json'), 'utf8'))
    expect(index.manifests).toMatchObject([{ annotations: { 'org.opencontainers.image.ref.name': 'v1' } }])
    const named = await regctl(
      'copy',
      `oci:${at('out')}:v1`,
      `docker-archive:${at('named.tar')}:acme/app:2.0`,
    )
    expect(named).toMatchObject({ code: 0, stderr: '' })
    const tagsOf = async (path: string) =>
      JSON.parse(`${(await readTar(path)).get('manifest.json')}`)[0].RepoTags as string[]
    expect(await tagsOf(at('named.tar'))).toEqual(['docker.io/acme/app:2.0'])
    expect((await regctl('copy', at('image.tar'), at('brought.tar'))).code).toBe(0)
    expect(await tagsOf(at('brought.tar'))).toEqual(['docker.io/acme/first:v1'])
    const remote = await regctl(
      'copy',
      `${registry.host}/app:1`,
      at('remote.tar'),
      '--platform',
      'linux/amd64',
    )
    expect(remote).toMatchObject({ code: 0, stderr: '' })
    expect(await tagsOf(at('remote.tar'))).toEqual([`${registry.host}/app:1`])
  })

  it('writes the image of this machine to a docker-archive, which holds single ones', async () => {
    const host = images[process.arch === 'arm64' ? 1 : 0]?.manifest.descriptor.digest
    const run = ['copy', `${registry.host}/app:1`, at('single.tar'), `${registry.host}/both:1`]
    const { code, stdout, stderr } = await regctl(...run, '--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ targets: [{ digest: host }, { digest }] })
    const two = ['--platform', 'linux/amd64', '--platform', 'linux/arm64']
    const refused = await regctl('copy', `${registry.host}/app:1`, at('several-platforms.tar'), ...two)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/^error: a docker-archive holds images of one platform each\nhint: /)
  })

  it('reads standard input and writes standard output, with the status on standard error', async () => {
    const out = await regctl('copy', `oci:${layout}:1`, '-', '--format', 'oci-archive')
    expect(out.code).toBe(0)
    expect(out.stderr).toContain(`1: digest: ${digest} size: `)
    const back = await regctlWith({ stdin: out.stdoutBytes }, 'copy', '-', `${registry.host}/piped:1`)
    expect(back).toMatchObject({ code: 0, stderr: '' })
    expect((await registry.manifest('piped', '1'))?.digest).toBe(digest)
  })

  it('prints the reference with --quiet, and writes the digest with --digest-file', async () => {
    const file = at('digest')
    const quiet = await regctl('cp', layout, `${registry.host}/q:1`, '--quiet', '--digest-file', file)
    expect(quiet).toMatchObject({ code: 0, stdout: `${registry.host}/q@${digest}\n`, stderr: '' })
    expect(await readFile(file, 'utf8')).toBe(`${digest}\n`)
  })

  it('is wrong usage with referrers into a format without them, and with two digests', async () => {
    const archive = await regctl('copy', layout, at('no.tar'), '--referrers')
    expect(archive.code).toBe(2)
    expect(archive.stderr).toBe(
      'error: the docker-archive format has no room for referrers\n' +
        'hint: Write an OCI layout (`oci:FOLDER`) or an OCI archive (`--format oci-archive`)\n',
    )
    const arm = images[1]?.manifest.descriptor.digest
    const { host } = registry
    expect((await regctl('copy', layout, `${host}/d@${digest}`, `${host}/d@${arm}`)).code).toBe(2)
    expect((await regctl('copy', layout, `${host}/d@${arm}`)).code).toBe(6)
  })

  it.skipIf(missingImages())(
    'keeps nested indexes and attestations, whole and of some platforms',
    async () => {
      for (const name of ['crane-nested-index', 'buildkit-oci-multi-attest.tar']) {
        const source = imagePath(name)
        const copied = await regctl('copy', source, `${registry.host}/real:1`, '--json')
        expect(copied).toMatchObject({ code: 0, stderr: '' })
        const part = await regctl('copy', source, `${registry.host}/real:2`, '--platform', 'linux/amd64')
        expect(part).toMatchObject({ code: 0, stderr: '' })
      }
      const attested = imagePath('buildkit-oci-multi-attest.tar')
      const whole = (await registry.manifest('real', '1'))?.document.manifests ?? []
      const platforms = whole.map(({ platform }) => `${platform?.os}/${platform?.architecture}`)
      const wanted = platforms.filter(platform => platform !== 'unknown/unknown').slice(0, 2)
      const flags = wanted.flatMap(platform => ['--platform', platform])
      expect((await regctl('copy', attested, `${registry.host}/real:3`, ...flags)).code).toBe(0)
      const part = (await registry.manifest('real', '3'))?.document.manifests ?? []
      const kept = part.filter(({ platform }) => platform?.os !== 'unknown')
      const attestations = part.filter(({ platform }) => platform?.os === 'unknown')
      expect(kept).toHaveLength(wanted.length)
      expect(
        attestations.map(({ annotations }) => annotations?.['vnd.docker.reference.digest']).sort(),
      ).toEqual(kept.map(entry => entry.digest).sort())
    },
  )
})
