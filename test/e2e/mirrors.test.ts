import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { startDockerRegistry } from '../support/docker-registry.js'
import { regctl, regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

describe('mirrors and other places of registries', () => {
  let folder: TemporaryFolder
  let image: string
  let registry: TestRegistry
  let digest: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }], repoTags: ['ubuntu:latest'] }])
    registry = await startRegistry()
    const pushed = await regctl('push', image, `${registry.host}/library/ubuntu`, '--quiet')
    digest = pushed.stdout.trim().split('@')[1] ?? ''
    expect(digest).toMatch(/^sha256:/)
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** Runs regctl for a user with one settings file. */
  async function withSettings(path: string, content: string, ...parameters: string[]) {
    await using home = await temporaryFolder()
    await mkdir(dirname(join(home.path, path)), { recursive: true })
    await writeFile(join(home.path, path), content)
    return await regctlWith({ home: home.path, cwd: home.path }, ...parameters)
  }

  it.each(['.config/regctl/config.json', '.config/docker/daemon.json'])(
    'pulls what is at Docker Hub from the registry-mirrors of %s',
    async path => {
      const settings = JSON.stringify({ 'registry-mirrors': [`http://${registry.host}`] })
      const { code, stdout, stderr } = await withSettings(path, settings, 'pull', 'ubuntu', './ubuntu.tar')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain(`Digest: ${digest}\n`)
      const by = await withSettings(path, settings, 'digest', `docker.io/library/ubuntu@${digest}`)
      expect(by.stdout).toBe(`${digest}\n`)
    },
  )

  it('reads and writes at the place that registries.conf has for a prefix', async () => {
    const conf = `[[registry]]\nprefix = "r.example/team"\nlocation = "${registry.host}/library"\n`
    const path = '.config/containers/registries.conf'
    const read = await withSettings(path, conf, 'digest', 'r.example/team/ubuntu')
    expect(read).toMatchObject({ code: 0, stdout: `${digest}\n`, stderr: '' })
    expect((await withSettings(path, conf, 'push', image, 'r.example/team/other:1', '--quiet')).code).toBe(0)
    expect((await registry.manifest('library/other', '1'))?.digest).toBe(digest)
  })

  it('refuses what is blocked, and names the file', async () => {
    const conf = `[[registry]]\nlocation = "${registry.host}/library"\nblocked = true\n`
    const path = '.config/containers/registries.conf.d/no.conf'
    const before = registry.requests().length
    for (const verb of [['digest'], ['push', image], ['tags']]) {
      const { code, stderr } = await withSettings(path, conf, ...verb, `${registry.host}/library/ubuntu`)
      expect(stderr).toMatch(/^error: .*\/library is blocked by .*registries\.conf\.d\/no\.conf\nhint: /)
      expect(code).toBe(4)
    }
    expect(registry.requests()).toHaveLength(before)
  })

  it('says what is wrong with registries.conf', async () => {
    const { code, stderr } = await withSettings(
      '.config/containers/registries.conf',
      '[[registry]\n',
      'digest',
      'a',
    )
    expect(stderr).toMatch(/^error: cannot use .*\/\.config\/containers\/registries\.conf: /)
    expect(code).toBe(1)
  })

  it.skipIf(missingTool('docker-registry'))(
    'pulls through a cache, and from the registry when it is gone',
    async () => {
      const cache = await startDockerRegistry({ proxyOf: `http://${registry.host}` })
      const conf = `[[registry]]\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "${cache.host}"\n`
      const path = '.config/containers/registries.conf'
      const pull = () => withSettings(path, conf, 'pull', `${registry.host}/library/ubuntu`, './a.tar')
      try {
        const through = await pull()
        expect(through).toMatchObject({ code: 0, stderr: '' })
        expect(through.stdout).toContain(`Digest: ${digest}\n`)
        const lines = (await cache.requests()).map(({ method, path: asked }) => `${method} ${asked}`)
        expect(lines.some(line => line.startsWith('GET /v2/library/ubuntu/blobs/'))).toBe(true)
        expect(lines.every(line => line.includes(`ns=${encodeURIComponent(registry.host)}`))).toBe(true)
      } finally {
        await cache[Symbol.asyncDispose]()
      }
      const direct = await pull()
      expect(direct.stderr).toContain(`the mirror ${cache.host} is left out: `)
      expect(direct.code).toBe(0)
    },
  )

  it('tells of mirrors in doctor', async () => {
    const conf = `[[registry]]\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "m.example"\n`
    const { code, stdout } = await withSettings(
      '.config/containers/registries.conf',
      conf,
      'doctor',
      `${registry.host}/library/ubuntu:latest`,
    )
    expect(stdout).toMatch(/^ok {7}mirrors {6}pulls ask m\.example first, which is not looked at here$/m)
    expect(code).toBe(0)
  })
})
