import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../e2e/test-registry.js'
import { Cosign } from '../support/cosign.js'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { imagePath, missingImages } from '../support/images.js'
import { missingPeer } from '../support/peers.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'

const missing = missingTool('docker-registry') ?? missingPeer('cosign') ?? missingImages()

/** Three platforms, each with an attestation manifest beside it in the index. */
const IMAGE = 'buildkit-oci-multi-attest.tar'

describe.skipIf(missing !== undefined)('what cosign says of an image', () => {
  let docker: DockerRegistry
  let embedded: TestRegistry
  let folder: TemporaryFolder
  let cosign: Cosign
  let digest: string
  const hosts: Record<string, string> = {}

  beforeAll(async () => {
    folder = await temporaryFolder()
    docker = await startDockerRegistry()
    embedded = await startRegistry()
    hosts['docker-registry'] = docker.host
    hosts['regctl serve'] = embedded.host
    cosign = await Cosign.open()
    digest = (await regctl('digest', imagePath(IMAGE))).stdout.trim()
  })

  afterAll(async () => {
    await cosign[Symbol.asyncDispose]()
    await docker[Symbol.asyncDispose]()
    await embedded[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** Wants the signatures of the index and of its first platform, and the attestation, to be there and to be right. */
  async function expectVerified(repository: string, statement: unknown): Promise<void> {
    const child = (await firstManifest(repository)).digest
    for (const subject of [digest, child]) {
      const { code, stdout, stderr } = await cosign.verify(`${repository}@${subject}`)
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('were verified') })
      expect(stdout).toContain(subject)
    }
    const { code, stdout, stderr } = await cosign.verifyAttestation(`${repository}@${digest}`)
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('were verified') })
    const { payload } = JSON.parse(stdout)
    const attested = JSON.parse(Buffer.from(payload, 'base64').toString())
    expect(attested.subject[0].digest.sha256).toBe(digest.replace('sha256:', ''))
    expect(JSON.stringify(attested.predicate)).toContain(
      JSON.stringify(JSON.stringify(statement)).slice(1, -1),
    )
  }

  async function firstManifest(repository: string): Promise<{ digest: string }> {
    const [host = '', ...name] = repository.split('/')
    const response = await fetch(`http://${host}/v2/${name.join('/')}/manifests/${digest}`, {
      headers: { accept: 'application/vnd.oci.image.index.v1+json' },
    })
    const { manifests } = (await response.json()) as { manifests: { digest: string }[] }
    return manifests[0] ?? { digest: '' }
  }

  async function copy(source: string, target: string, ...flags: string[]): Promise<void> {
    const { code, stderr } = await regctl('copy', source, target, ...flags)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }

  describe.each([
    ['digest tags', 'docker-registry', 'regctl serve'],
    ['digest tags', 'regctl serve', 'docker-registry'],
    ['referrers', 'docker-registry', 'regctl serve'],
    ['referrers', 'regctl serve', 'docker-registry'],
  ] as const)('as %s in %s', (form, here, there) => {
    const name = `${form.replace(' ', '-')}/from-${here.replace(' ', '-')}`
    const statement = { tested: name }
    let origin: string
    let target: string

    beforeAll(async () => {
      origin = `${hosts[here]}/${name}`
      target = `${hosts[there]}/${name}`
      expect((await regctl('push', imagePath(IMAGE), `${origin}:1`)).code).toBe(0)
      await cosign.sign(`${origin}@${digest}`, form)
      await cosign.attest(`${origin}@${digest}`, statement, form)
    })

    it('is verified there', () => expectVerified(origin, statement))

    it('is called a signature and an attestation', async () => {
      const { stdout } = await regctl('referrers', `${origin}:1`, '--json')
      const names = JSON.parse(stdout).referrers.map(({ name }: { name: string }) => name)
      // cosign's own kind of statement has no name but that of what it is in.
      const attestation = form === 'referrers' ? 'sigstore bundle' : 'in-toto attestation'
      expect(names.sort()).toEqual(['cosign signature', attestation])
    })

    it(`goes with a copy to ${there}`, async () => {
      await copy(`${origin}:1`, `${target}:1`, '--referrers')
      await expectVerified(target, statement)
      // Once more, which finds all of it there.
      await copy(`${origin}:1`, `${target}:1`, '--referrers')
      await expectVerified(target, statement)
    })

    it('goes with a copy to another repository of the same registry', async () => {
      await copy(`${origin}:1`, `${origin}/again:1`, '--referrers')
      await expectVerified(`${origin}/again`, statement)
    })

    it('goes into a layout, and from there to any registry', async () => {
      const layout = join(folder.path, name.replace('/', '-'))
      await copy(`${origin}:1`, `oci:${layout}:1`, '--referrers')
      for (const host of Object.values(hosts)) {
        await copy(`oci:${layout}:1`, `${host}/${name}/by-layout:1`, '--referrers')
        await expectVerified(`${host}/${name}/by-layout`, statement)
      }
    })

    it('stays behind without --referrers, so that nothing is verified', async () => {
      await copy(`${origin}:1`, `${target}/bare:1`)
      const { code, stderr } = await cosign.verify(`${target}/bare@${digest}`)
      expect(code).not.toBe(0)
      expect(stderr).toMatch(/no (?:matching )?signatures/)
      expect((await cosign.verifyAttestation(`${target}/bare@${digest}`)).code).not.toBe(0)
    })
  })

  it('is copied from the folder that cosign save writes', async () => {
    // Of an index it saves what is said of the index alone.
    const { stdout } = await regctl('push', imagePath('crane-pull-oci'), `${docker.host}/saved:1`, '--quiet')
    const origin = stdout.trim()
    await cosign.sign(origin, 'digest tags')
    await cosign.attest(origin, { saved: true }, 'digest tags')
    const saved = join(folder.path, 'saved')
    await cosign.save(origin, saved)
    const [, image = ''] = origin.split('@')
    await copy(`oci:${saved}`, `${embedded.host}/saved:1`, '--image', `@${image}`, '--referrers')
    const target = `${embedded.host}/saved@${image}`
    expect(await cosign.verify(target)).toMatchObject({ code: 0, stdout: expect.stringContaining(image) })
    expect(await cosign.verifyAttestation(target)).toMatchObject({ code: 0 })
  })

  it('is not what another key says', async () => {
    const reference = `${embedded.host}/stranger`
    expect((await regctl('push', imagePath(IMAGE), `${reference}:1`)).code).toBe(0)
    await using stranger = await Cosign.open()
    await stranger.sign(`${reference}@${digest}`, 'referrers')
    expect((await cosign.verify(`${reference}@${digest}`)).code).not.toBe(0)
    expect((await stranger.verify(`${reference}@${digest}`)).code).toBe(0)
  })
})
