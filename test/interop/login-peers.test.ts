import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type DockerRegistry, REGISTRY_USER, startDockerRegistry } from '../support/docker-registry.js'
import { cleanEnvironment, regctlWith, run } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'

const { name, password } = REGISTRY_USER
const flags = ['-u', name, '--password-stdin']

describe.skipIf(missingTool('docker-registry', 'openssl', 'skopeo'))('a login', () => {
  let home: TemporaryFolder
  let registry: DockerRegistry
  let app: string

  beforeAll(async () => {
    home = await temporaryFolder()
    registry = await startDockerRegistry({ tokenAuth: true })
    app = `${registry.host}/team/app:1`
    const image = join(home.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }] }])
    const push = await regctlWith({ stdin: password }, 'push', image, app, ...flags)
    expect(push.code).toBe(0)
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
  })

  const skopeo = (user: TemporaryFolder, ...parameters: string[]) =>
    run('skopeo', parameters, { env: cleanEnvironment(user.path), stdin: password })
  const inspect = (user: TemporaryFolder) =>
    skopeo(user, 'inspect', '--raw', '--tls-verify=false', `docker://${app}`)

  it('of ours in a file lets skopeo in, until the logout', async () => {
    await using user = await temporaryFolder()
    expect((await inspect(user)).code).not.toBe(0)
    const options = { home: user.path, stdin: password }
    expect((await regctlWith(options, 'login', registry.host, '--store', 'file', ...flags)).code).toBe(0)
    expect((await inspect(user)).code).toBe(0)
    expect((await regctlWith(options, 'logout', registry.host)).code).toBe(0)
    expect((await inspect(user)).code).not.toBe(0)
  })

  it.each([
    ['the registry', ''],
    ['a part of it', '/team'],
  ])('of skopeo to %s lets us in', async (_what, path) => {
    await using user = await temporaryFolder()
    const options = { home: user.path }
    expect((await regctlWith(options, 'digest', app)).code).toBe(4)
    const login = await skopeo(user, 'login', '--tls-verify=false', ...flags, `${registry.host}${path}`)
    expect(login).toMatchObject({ code: 0, stdout: 'Login Succeeded!\n' })
    expect((await regctlWith(options, 'digest', app)).code).toBe(0)
    const { stdout } = await regctlWith(options, 'auth', 'which', app)
    expect(stdout).toContain(`used: password of ada, entry ${registry.host}${path}\n`)
  })
})
