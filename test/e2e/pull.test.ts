import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { schemaErrors } from '../support/json-schema.js'
import { regctl, regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { type PushedIndex, pushIndex } from './pull-fixtures.js'
import { readTar } from './tar-files.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

describe('regctl pull', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  let pushed: PushedIndex
  /** `host/app:1`, an index of two platforms. */
  let reference: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startRegistry()
    reference = `${registry.host}/app:1`
    pushed = await pushIndex(folder.path, reference)
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('writes a layout by tag and by digest, which verifies as what was pushed', async () => {
    const { digest, layout } = pushed
    for (const name of [reference, `${registry.host}/app@${digest}`]) {
      const out = join(folder.path, `pulled-${name.includes('@') ? 'digest' : 'tag'}`)
      const pulled = await regctl('pull', name, out)
      expect(pulled).toMatchObject({ code: 0, stderr: '' })
      expect(pulled.stdout).toMatch(/^[^\n]+: Pulling from app\n/)
      expect(pulled.stdout).toContain(`Digest: ${digest}\nStatus: Downloaded newer image for ${name}\n`)
      expect(pulled.stdout).toMatch(new RegExp(`\nSaved to ${out}\n$`))
      const blob = join('blobs', digest.replace(':', '/'))
      expect(await readFile(join(out, blob), 'utf8')).toBe(await readFile(join(layout, blob), 'utf8'))
      const { manifests } = JSON.parse(await readFile(join(out, 'index.json'), 'utf8'))
      expect(manifests).toMatchObject([{ digest }])
      expect(manifests[0].annotations).toEqual(
        name.includes('@')
          ? undefined
          : { 'io.containerd.image.name': reference, 'org.opencontainers.image.ref.name': '1' },
      )
      expect((await regctl('digest', `oci:${out}`)).stdout).toBe(`${digest}\n`)
    }
  })

  it('says that an image is up to date where nothing had to be downloaded', async () => {
    const out = join(folder.path, 'twice')
    expect((await regctl('pull', reference, out)).stdout).toContain(': Download complete\n')
    const again = await regctl('pull', reference, out)
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(again.stdout).toContain(': Already exists\n')
    expect(again.stdout).not.toContain(': Download complete\n')
    expect(again.stdout).toMatch(new RegExp(`\nStatus: Image is up to date for ${reference}\n$`))
  })

  it('writes an OCI archive with everything', async () => {
    const out = join(folder.path, 'pulled.tar')
    const pulled = await regctl('pull', reference, out, '--format', 'oci-archive', '--quiet')
    const { digest, images } = pushed
    expect(pulled).toMatchObject({ code: 0, stdout: `${registry.host}/app@${digest}\n`, stderr: '' })
    const files = await readTar(out)
    const blobs = images.flatMap(image => [image.manifest.descriptor.digest, ...image.blobs.keys()])
    for (const blob of [digest, ...blobs]) expect(files.has(`blobs/${blob.replace(':', '/')}`)).toBe(true)
    expect((await regctl('push', out, `${registry.host}/again`, '--expect-digest', digest)).code).toBe(0)
  })

  it("writes one platform's image, with that image's digest", async () => {
    const out = join(folder.path, 'arm')
    const pulled = await regctl('pull', reference, out, '--platform', 'linux/arm64', '--json')
    expect(pulled).toMatchObject({ code: 0, stderr: '' })
    expect(schemaErrors('pull', pulled.stdout)).toEqual([])
    const [, arm] = pushed.images
    expect(JSON.parse(pulled.stdout)).toEqual({
      destination: out,
      format: 'oci',
      images: [
        {
          reference,
          tags: ['1'],
          ...arm.manifest.descriptor,
          platform: { os: 'linux', architecture: 'arm64' },
          blobs: { copied: 3, mounted: 0, exists: 0, skipped: 0 },
          bytes: [...arm.blobs.values()].reduce((sum, { length }) => sum + length, 0),
        },
      ],
    })
    const other = await regctl('pull', reference, `${out}2`, '--platform', 'linux/s390x')
    expect(other.code).toBe(3)
    expect(other.stderr).toContain('hint: It has linux/amd64, linux/arm64')
  })

  it("takes the host's platform for a docker-archive, and says so", async () => {
    await using here = await temporaryFolder()
    const before = registry.requests().length
    const pulled = await regctlWith({ cwd: here.path }, 'pull', reference)
    // Each manifest is asked for once, since registries count (R196).
    const asked = registry.requests().slice(before)
    expect(asked.filter(line => line.startsWith('GET ') && line.includes('/manifests/'))).toHaveLength(2)
    expect(pulled).toMatchObject({ code: 0, stderr: '' })
    const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
    expect(pulled.stdout).toContain(
      `1: Pulling from app\nAn index: its image for linux/${architecture} (--platform takes another)\n`,
    )
    expect(pulled.stdout).toContain('\nSaved to app_1.tar\n')
    const image = pushed.images[architecture === 'arm64' ? 1 : 0]
    const files = await readTar(join(here.path, 'app_1.tar'))
    expect(JSON.parse(`${files.get('manifest.json')}`)).toEqual([
      {
        Config: `blobs/${image.config.digest.replace(':', '/')}`,
        RepoTags: [reference],
        Layers: image.layers.map(({ digest }) => `blobs/${digest.replace(':', '/')}`),
      },
    ])
    const index = JSON.parse(`${files.get('index.json')}`)
    expect(index.manifests).toMatchObject([{ digest: image.manifest.descriptor.digest }])
  })

  it('tells its events as JSON on standard error with --progress json, and nothing else', async () => {
    const out = join(folder.path, 'events.tar')
    const pulled = await regctl('pull', reference, out, '--format', 'oci-archive', '--progress', 'json')
    expect(pulled).toMatchObject({ code: 0, stdout: '' })
    const events = pulled.stderr
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(events.filter(({ type }) => type === 'manifest-done')).toHaveLength(3)
    expect(events.at(-1)).toMatchObject({ type: 'manifest-done', target: out, tags: ['1'] })
  })

  it('is not found where it is not, and nothing is left under or beside the final name', async () => {
    await using here = await temporaryFolder()
    for (const format of ['docker-archive', 'oci-archive', 'oci', 'dir']) {
      const out = join(here.path, 'new/missing')
      const missing = `${registry.host}/app:none`
      const { code, stdout, stderr } = await regctl('pull', missing, out, '--format', format)
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
      expect(stderr).toMatch(/^error: .*app:none/)
      expect(await readdir(here.path)).toEqual([])
    }
  })
})
