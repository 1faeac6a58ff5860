import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { REGISTRY_USER, startDockerRegistry } from '../support/docker-registry.js'
import { buildImage } from '../support/image-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl, regctlWith } from '../support/run.js'
import { refusal, startScripted } from '../support/scripted-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const NAMES = ['app', 'mirror/app', 'mirror/ubuntu']

describe('the catalog', () => {
  let registry: TestRegistry

  beforeAll(async () => {
    const repositories = new MemoryCollection()
    const { manifest } = await buildImage()
    for (const name of NAMES)
      await (await repositories.create(name)).putManifest(manifest, ['1'], createContext())
    registry = await startRegistry({ repositories })
  })

  afterAll(() => registry[Symbol.asyncDispose]())

  it('lists the repositories, or those that patterns choose', async () => {
    const all = await regctl('catalog', registry.host)
    expect(all).toMatchObject({ code: 0, stdout: 'app\nmirror/app\nmirror/ubuntu\n', stderr: '' })
    const chosen = await regctl('catalog', registry.host, '--include', 'mirror/*', '--limit', '1')
    expect(chosen.stdout).toBe('mirror/app\n')
  })

  it('is one JSON document', async () => {
    const { stdout } = await regctl('catalog', registry.host, '--json')
    expect(schemaErrors('catalog', stdout)).toEqual([])
    expect(stdout).toBe(`${JSON.stringify({ registry: registry.host, repositories: NAMES }, undefined, 2)}\n`)
  })

  it('R75: is not offered by every registry, and then the hint says what is', async () => {
    await using server = await startScripted([[/./, refusal(404, 'NOT_FOUND')]])
    const { code, stderr } = await regctl('catalog', server.host)
    expect(code).toBe(1)
    expect(stderr).toBe(
      `error: listing of the repositories of ${server.host} failed: ${server.host} does not offer a catalog: ` +
        `GET ${server.host}/v2/_catalog answered 404\n` +
        `hint: List the tags of a repository that you know: \`regctl tags ${server.host}/REPO\`\n`,
    )
  })

  it('is of a registry, and not of a repository', async () => {
    const { code, stderr } = await regctl('catalog', `${registry.host}/app`)
    expect(code).toBe(2)
    expect(stderr).toBe(
      `error: "${registry.host}/app" is not a registry: it names a repository\n` +
        `hint: For the tags of a repository run \`regctl tags ${registry.host}/app\`\n`,
    )
  })
})

describe.skipIf(missingTool('docker-registry', 'openssl'))('the catalog of docker-registry', () => {
  it('R75: comes with a token for registry:catalog, and to nobody else', async () => {
    await using folder = await temporaryFolder()
    const archive = join(folder.path, 'image.tar')
    await writeDockerArchive(archive, [{ layers: [{ a: 'a\n' }], repoTags: ['acme/app:1'] }])
    await using registry = await startDockerRegistry({ tokenAuth: true })
    const login = { stdin: REGISTRY_USER.password }
    const user = ['--username', REGISTRY_USER.name, '--password-stdin']
    const references = NAMES.map(name => `${registry.host}/${name}:1`)
    expect((await regctlWith(login, 'push', archive, ...references, ...user)).code).toBe(0)

    const refused = await regctl('catalog', registry.host)
    expect(refused.code).toBe(4)
    expect(refused.stderr).toContain(`${registry.host} does not offer a catalog, or not with this login`)
    const listed = await regctlWith(login, 'catalog', registry.host, ...user)
    expect(listed).toMatchObject({ code: 0, stdout: `${NAMES.join('\n')}\n`, stderr: '' })
  })

  it('R69: comes in pages', async () => {
    await using registry = await startDockerRegistry()
    const names = Array.from({ length: 150 }, (_, number) => `app${1000 + number}`)
    for (const name of names) {
      // A repository is a folder that has layers.
      const layers = join(registry.storage, 'docker/registry/v2/repositories', name, '_layers')
      await mkdir(layers, { recursive: true })
    }
    const listed = await regctl('catalog', registry.host)
    expect(listed).toMatchObject({ code: 0, stdout: `${names.join('\n')}\n`, stderr: '' })
    expect((await registry.requests()).filter(({ path }) => path.includes('_catalog'))).toHaveLength(2)
  })
})
