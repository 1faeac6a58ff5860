import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Cleanup } from '../support/cleanup.js'
import { type DockerRegistry, REGISTRY_USER, startDockerRegistry } from '../support/docker-registry.js'
import { imagePath, missingImages } from '../support/images.js'
import { missingPeer, peer, tryPeer } from '../support/peers.js'
import { type RunResult, run } from '../support/run.js'
import { missingSecretService, type SecretService, startSecretService } from '../support/secret-service.js'
import { missingTool } from '../support/tools.js'

const START_FILE = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const HELPER = fileURLToPath(new URL('../../bin/docker-credential-regctl.js', import.meta.url))

const missing = missingSecretService() ?? missingTool('docker-registry') ?? missingImages()

describe.skipIf(missing !== undefined)('the keychain shared with other tools', () => {
  const stack = new Cleanup()
  let service: SecretService
  let registry: DockerRegistry
  let env: Record<string, string>

  beforeAll(async () => {
    service = stack.use(await startSecretService())
    registry = stack.use(await startDockerRegistry({ htpasswd: true }))
    const programs = join(service.home, 'bin')
    await mkdir(programs)
    await symlink(HELPER, join(programs, 'docker-credential-regctl'))
    env = { ...service.env, PATH: `${programs}:${service.env.PATH}` }
    await mkdir(join(service.home, '.docker'))
    await regctl('login', '-u', REGISTRY_USER.name, '--password-stdin', registry.host)
    await regctl('push', imagePath('docker28-dup-layers.tar'), `${registry.host}/app:1.0`)
  })
  afterAll(() => stack[Symbol.asyncDispose]())

  /** Every test begins logged in by regctl, and with no settings of Docker but the helper. */
  beforeEach(async () => {
    await writeSettings({ credsStore: 'regctl' })
    await regctl('login', '-u', REGISTRY_USER.name, '--password-stdin', registry.host)
  })

  const settingsPath = () => join(service.home, '.docker/config.json')
  const writeSettings = (settings: object) => writeFile(settingsPath(), JSON.stringify(settings))
  const readSettings = () => readFile(settingsPath(), 'utf8')
  const ask = (server: string) => run('docker-credential-regctl', ['get'], { env, stdin: server })
  const stored = () => ({
    ServerURL: registry.host,
    Username: REGISTRY_USER.name,
    Secret: REGISTRY_USER.password,
  })

  /** The password is given to whoever reads it. */
  async function regctl(...parameters: string[]): Promise<RunResult> {
    const result = await run(process.execPath, [START_FILE, ...parameters], {
      env,
      stdin: REGISTRY_USER.password,
    })
    if (result.code !== 0) throw new Error(`regctl ${parameters.join(' ')} failed: ${result.stderr}`)
    return result
  }

  it('the helper finds what regctl login stored, and not what regctl logout removed', async () => {
    const { code, stdout } = await ask(registry.host)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual(stored())
    await regctl('logout', registry.host)
    expect(await ask(registry.host)).toMatchObject({
      code: 1,
      stdout: 'credentials not found in native keychain\n',
    })
  })

  describe.skipIf(missingTool('docker') !== undefined)('docker', () => {
    // Nobody listens there, and the client then asks the registry itself.
    const docker = (parameters: string[], stdin = '') =>
      run('docker', parameters, { env: { ...env, DOCKER_HOST: 'unix:///nowhere/docker.sock' }, stdin })

    it('logs in through the helper, so that regctl is logged in, and logs out again', async () => {
      await regctl('logout', registry.host)
      const login = ['login', '-u', REGISTRY_USER.name, '--password-stdin', registry.host]
      const result = await docker(login, REGISTRY_USER.password)
      expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('Login Succeeded') })
      expect(JSON.parse((await ask(registry.host)).stdout)).toEqual(stored())
      expect(JSON.parse(await readSettings()).auths).toEqual({ [registry.host]: {} })
      await writeSettings({})
      const { stdout } = await regctl('digest', `${registry.host}/app:1.0`)
      expect(stdout).toMatch(/^sha256:/)

      await writeSettings({ credsStore: 'regctl', auths: { [registry.host]: {} } })
      expect(await docker(['logout', registry.host])).toMatchObject({ code: 0 })
      expect((await ask(registry.host)).code).toBe(1)
    })

    it('finds the login of regctl', async () => {
      const inspect = ['manifest', 'inspect', '--insecure', `${registry.host}/app:1.0`]
      const { code, stdout } = await docker(inspect)
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ schemaVersion: 2 })
      await regctl('logout', registry.host)
      expect((await docker(inspect)).code).not.toBe(0)
    })
  })

  describe.skipIf(missingPeer('skopeo') !== undefined)('skopeo', () => {
    it('finds the login of regctl, with the helper for one registry', async () => {
      await writeSettings({ credHelpers: { [registry.host]: 'regctl' } })
      const inspect = ['inspect', '--tls-verify=false', '--raw', `docker://${registry.host}/app:1.0`]
      expect((await tryPeer('skopeo', inspect)).code).not.toBe(0)
      const { stdout } = await peer('skopeo', inspect, { env })
      expect(JSON.parse(stdout)).toMatchObject({ schemaVersion: 2 })
    })

    it('logs in through the helper, so that regctl is logged in', async () => {
      await regctl('logout', registry.host)
      const authFile = join(service.home, 'auth.json')
      await writeFile(authFile, JSON.stringify({ credHelpers: { [registry.host]: 'regctl' } }))
      const login = ['login', '--tls-verify=false', '--authfile', authFile, '-u', REGISTRY_USER.name]
      const parameters = [...login, '--password-stdin', registry.host]
      const result = await run('skopeo', parameters, { env, stdin: REGISTRY_USER.password })
      expect(result).toMatchObject({ code: 0 })
      expect(await readFile(authFile, 'utf8')).not.toContain('"auth"')
      expect(JSON.parse((await ask(registry.host)).stdout)).toEqual(stored())
    })
  })

  describe.skipIf(missingPeer('crane') !== undefined)('crane', () => {
    it.each([{ credsStore: 'regctl' }, undefined])('finds the login of regctl: %j', async settings => {
      await writeSettings(settings ?? { credHelpers: { [registry.host]: 'regctl' } })
      const digest = ['digest', '--insecure', `${registry.host}/app:1.0`]
      expect((await tryPeer('crane', digest)).code).not.toBe(0)
      const { stdout } = await peer('crane', digest, { env })
      expect(stdout).toBe((await regctl('digest', `${registry.host}/app:1.0`)).stdout)
    })
  })

  describe.skipIf(missingPeer('oras') !== undefined)('oras', () => {
    it('finds the login of regctl', async () => {
      const list = ['repo', 'tags', '--plain-http', `${registry.host}/app`]
      expect((await tryPeer('oras', list)).code).not.toBe(0)
      expect((await peer('oras', list, { env })).stdout).toBe('1.0\n')
    })
  })
})
