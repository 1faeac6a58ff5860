import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { expectedOf, imagePath, missingImages } from '../support/images.js'
import { cleanEnvironment, regctl, run, systemEnvironment } from '../support/run.js'
import { startService } from '../support/service.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingDockerEngine, missingTool } from '../support/tools.js'

const missing = missingDockerEngine() ?? missingTool('docker-registry', 'skopeo', 'ctr') ?? missingImages()
const START_FILE = join(import.meta.dirname, '../../bin/run.js')

describe.skipIf(missing !== undefined)('what regctl pull writes', () => {
  let engine: DockerEngine
  let registry: DockerRegistry
  let folder: TemporaryFolder
  /** In the registry; of the first there is an index, too. */
  let app: string
  let team: string
  const IMAGES = ['docker20-dup-layers.tar', 'docker28-whiteout.tar'] as const
  const idOf = (name: string) => expectedOf(name).docker?.[0]?.config

  beforeAll(async () => {
    engine = await startDockerEngine()
    registry = await startDockerRegistry()
    folder = await temporaryFolder()
    app = `${registry.host}/app:1.0`
    team = `${registry.host}/team/app:1.0`
    for (const [at, name] of [app, team].entries()) {
      const { code, stderr } = await regctl('push', imagePath(IMAGES[at] ?? ''), name)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    }
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

  /** Names, image ID and diffIDs of what is loaded; everything is removed afterwards. */
  async function loaded(...names: string[]): Promise<{ id: string; diffIDs: string[]; tags: string[] }[]> {
    const found = JSON.parse(await docker('image', 'inspect', ...names))
    await docker('rmi', '--force', ...found.map(({ Id }: { Id: string }) => Id))
    return found.map(
      ({ Id, RootFS, RepoTags }: { Id: string; RootFS: { Layers: string[] }; RepoTags: string[] }) => ({
        id: Id,
        diffIDs: RootFS.Layers,
        tags: RepoTags,
      }),
    )
  }

  const expected = (name: string, tag: string) => ({
    id: idOf(name),
    diffIDs: expectedOf(name).docker?.[0]?.diff_ids,
    tags: [tag],
  })

  it.each([['compressed as they are'], ['plain', '--uncompressed']])(
    'is loaded by docker with its ID and name, its layers %s',
    async (_how, ...flags) => {
      const path = join(folder.path, `one${flags.join('')}.tar`)
      const pulled = await regctl('pull', app, path, ...flags)
      expect(pulled.code).toBe(0)
      expect(await docker('load', '-i', path)).toBe(`Loaded image: ${app}\n`)
      expect(await loaded(app)).toEqual([expected(IMAGES[0], app)])
    },
  )

  it.each([[], ['--uncompressed']])(
    'is loaded with several images under their names %s',
    async (...flags) => {
      const path = join(folder.path, `both${flags.join('')}.tar`)
      expect((await regctl('pull', app, team, path, ...flags)).code).toBe(0)
      const lines = (await docker('load', '-i', path)).trim().split('\n')
      expect(lines.sort()).toEqual([`Loaded image: ${app}`, `Loaded image: ${team}`].sort())
      expect(await loaded(app, team)).toEqual([expected(IMAGES[0], app), expected(IMAGES[1], team)])
    },
  )

  it('is loaded without a name when it was pulled by digest', async () => {
    const path = join(folder.path, 'digest.tar')
    const digest = (await regctl('digest', app)).stdout.trim()
    expect((await regctl('pull', `${registry.host}/app@${digest}`, path)).code).toBe(0)
    expect(await docker('load', '-i', path)).toBe(`Loaded image ID: ${idOf(IMAGES[0])}\n`)
    await docker('rmi', '--force', idOf(IMAGES[0]) ?? '')
  })

  it("is a short name of Docker Hub's in docker when the destination says so", async () => {
    const path = join(folder.path, 'hub.tar')
    expect((await regctl('pull', app, `docker-archive:${path}:app:2`)).code).toBe(0)
    expect(await docker('load', '-i', path)).toBe('Loaded image: app:2\n')
    expect(await loaded('app:2')).toEqual([expected(IMAGES[0], 'app:2')])
  })

  it('goes through a pipe into docker load', async () => {
    await using home = await temporaryFolder()
    const pull = spawn(process.execPath, [START_FILE, 'pull', app, '-'], {
      env: cleanEnvironment(home.path),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(pull, 'close')
    let status = ''
    pull.stderr.on('data', chunk => {
      status += chunk
    })
    const load = await run('docker', ['load'], { env: engine.env, stdin: pull.stdout })
    expect(load).toMatchObject({ code: 0, stdout: `Loaded image: ${app}\n` })
    expect(await ended).toEqual([0, null])
    expect(status).toMatch(/^1\.0: Pulling from app\n/)
    expect(await loaded(app)).toEqual([expected(IMAGES[0], app)])
  })

  it('goes through a pipe into a push, which keeps its digest', async () => {
    const again = `${registry.host}/piped:1.0`
    const line = 'set -o pipefail; "$0" "$1" pull "$2" - | "$0" "$1" push - "$3" --quiet'
    await using home = await temporaryFolder()
    const env = cleanEnvironment(home.path)
    const piped = await run('bash', ['-c', line, process.execPath, START_FILE, app, again], { env })
    const digest = (await regctl('digest', app)).stdout
    expect(piped).toMatchObject({ code: 0, stdout: `${registry.host}/piped@${digest}` })
  })

  it('is imported by containerd under its names, with the digest of the registry (R186)', async () => {
    const socket = join(folder.path, 'containerd.sock')
    const places = ['--root', join(folder.path, 'root'), '--state', join(folder.path, 'state')]
    const ctr = (...given: string[]) =>
      run('ctr', ['--address', socket, ...given], { env: systemEnvironment() })
    const started = async () => (await ctr('version')).code === 0
    await using _containerd = await startService(
      'containerd',
      [...places, '--address', socket, '--log-level', 'error'],
      systemEnvironment(),
      started,
    )
    for (const format of ['docker-archive', 'oci-archive']) {
      const path = join(folder.path, `containerd-${format}.tar`)
      expect((await regctl('pull', app, team, path, '--format', format)).code).toBe(0)
      const imported = await ctr('--namespace', format, 'images', 'import', '--no-unpack', path)
      expect(imported).toMatchObject({ code: 0 })
      const lines = (await ctr('--namespace', format, 'images', 'ls')).stdout.trim().split('\n').slice(1)
      const found = lines.map(line => /^(\S+)\s.*?(sha256:[0-9a-f]{64})/.exec(line)?.slice(1, 3))
      const digests = await Promise.all(
        [app, team].map(async name => (await regctl('digest', name)).stdout.trim()),
      )
      expect(found).toEqual([app, team].map((name, at) => [name, digests[at]]))
    }
  })

  it('is read by skopeo in every format, with the digest of the registry', async () => {
    // By its name, skopeo finds a manifest of the OCI only.
    const oci = `${registry.host}/oci:1.0`
    expect((await regctl('push', imagePath(IMAGES[0]), oci, '--format', 'oci')).code).toBe(0)
    const digest = (await regctl('digest', oci)).stdout.trim()
    for (const format of ['oci-archive', 'oci', 'dir']) {
      const place = join(folder.path, `skopeo-${format}`)
      expect((await regctl('pull', oci, place, '--format', format)).code).toBe(0)
      const suffix = format === 'dir' ? '' : ':1.0'
      const inspected = await run('skopeo', ['inspect', `${format}:${place}${suffix}`])
      expect(inspected).toMatchObject({ code: 0, stderr: '' })
      expect(JSON.parse(inspected.stdout).Digest).toBe(digest)
    }
    const path = join(folder.path, 'skopeo.tar')
    expect((await regctl('pull', app, team, path, '--uncompressed')).code).toBe(0)
    const copied = await run('skopeo', ['inspect', '--config', '--raw', `docker-archive:${path}:${team}`])
    expect(copied).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(copied.stdout).rootfs.diff_ids).toEqual(expectedOf(IMAGES[1]).docker?.[0]?.diff_ids)
  })
})
