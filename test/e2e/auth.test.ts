import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Htpasswd } from '../../src/server/htpasswd.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { cleanEnvironment, type RunResult, regctlWith, run, systemEnvironment } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const USER = 'ada'
const PASSWORD = 'canary-horse'
const base64 = (text: string) => Buffer.from(text).toString('base64')
const GOOD = { auth: base64(`${USER}:${PASSWORD}`) }
const BAD = { auth: base64('eve:canary-wrong') }
/** No output of any command may hold one of these. */
const SECRETS = [PASSWORD, GOOD.auth, BAD.auth, 'canary']

let shared: TemporaryFolder
let registry: TestRegistry
let image: string
/** Of a user who has logged in nowhere. */
let home: TemporaryFolder

beforeAll(async () => {
  shared = await temporaryFolder()
  image = join(shared.path, 'image.tar')
  await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }] }])
  const file = join(shared.path, 'htpasswd')
  await writeFile(file, `${USER}:${bcrypt.hashSync(PASSWORD, 4)}\n`)
  registry = await startRegistry({ htpasswd: await Htpasswd.load(file) })
})

afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await shared[Symbol.asyncDispose]()
})

beforeEach(async () => {
  home = await temporaryFolder()
})

afterEach(() => home[Symbol.asyncDispose]())

async function write(path: string, document: unknown, mode = 0o600): Promise<string> {
  const target = join(home.path, path)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(target, typeof document === 'string' ? document : JSON.stringify(document), { mode })
  return target
}

/** Runs a command of this user, and sees to it that it shows no secret. */
async function user(parameters: string[], env: Record<string, string> = {}): Promise<RunResult> {
  const result = await regctlWith({ home: home.path, env }, ...parameters)
  for (const secret of SECRETS) expect(result.stdout + result.stderr).not.toContain(secret)
  return result
}

const push = (env?: Record<string, string>) =>
  user(['push', image, `${registry.host}/team/app`, '--debug'], env)

describe('a push is let through', () => {
  it.skipIf(missingTool('docker'))('by what `docker login` has written', async () => {
    const env = { ...systemEnvironment(), HOME: home.path, DOCKER_HOST: 'tcp://127.0.0.1:1' }
    const login = await run('docker', ['login', '-u', USER, '--password-stdin', registry.host], {
      env,
      stdin: PASSWORD,
    })
    expect(login).toMatchObject({ code: 0, stdout: expect.stringContaining('Login Succeeded') })
    expect((await push()).code).toBe(0)
    const { stdout } = await user(['auth', 'which', `${registry.host}/team/app`])
    expect(stdout).toContain(`: password of ada, from ${join(home.path, '.docker/config.json')}\n`)
    expect((await user(['logout', registry.host])).stdout).toContain('Removed the login')
    const config = JSON.parse(await readFile(join(home.path, '.docker/config.json'), 'utf8'))
    expect(config.auths).toEqual({})
  })

  it("R131: by podman's auth.json, whose longest key wins", async () => {
    const path = await write('.run/containers/auth.json', {
      auths: { [registry.host]: BAD, [`${registry.host}/team`]: GOOD, [`${registry.host}/team/other`]: BAD },
    })
    expect((await push()).code).toBe(0)
    expect((await user(['push', image, `${registry.host}/team/other`])).code).toBe(4)
    const { stdout } = await user(['auth', 'which', `${registry.host}/team/app`, '--json'])
    expect(schemaErrors('auth-which', stdout)).toEqual([])
    const { places } = JSON.parse(stdout)
    const used = places.find(({ state }: { state: string }) => state === 'used')
    expect(used).toMatchObject({ place: path, entry: { key: `${registry.host}/team`, username: USER } })
  })

  it('R129: by REGISTRY_AUTH_FILE, which goes before config.json', async () => {
    const file = await write('other/auth.json', { auths: { [registry.host]: GOOD } })
    await write('.docker/config.json', { auths: { [registry.host]: BAD } })
    expect((await push({ REGISTRY_AUTH_FILE: file })).code).toBe(0)
    expect((await push()).code).toBe(4)
  })

  it('R128: by DOCKER_AUTH_CONFIG, which goes before all files', async () => {
    const DOCKER_AUTH_CONFIG = JSON.stringify({ auths: { [registry.host]: GOOD } })
    const REGISTRY_AUTH_FILE = await write('other/auth.json', { auths: { [registry.host]: BAD } })
    expect((await push({ DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE })).code).toBe(0)
  })

  it("by GitLab's variables, at the registry that they name", async () => {
    const env = { CI_REGISTRY: registry.host, CI_REGISTRY_USER: USER, CI_REGISTRY_PASSWORD: PASSWORD }
    expect((await push(env)).code).toBe(0)
    expect((await push({ ...env, CI_REGISTRY: 'other.example' })).code).toBe(4)
  })

  it('R130: by ~/.dockercfg', async () => {
    await write('.dockercfg', { [`https://${registry.host}/v1/`]: GOOD })
    expect((await push()).code).toBe(0)
  })

  it('R133, R137, R219: by a helper, which is asked once, with nothing on its command line', async () => {
    const answer = JSON.stringify({ Username: USER, Secret: PASSWORD })
    const log = join(home.path, 'log')
    const script = `#!/bin/sh\nread -r server\necho "$* $server" >>${log}\necho '${answer}'\n`
    await write('bin/docker-credential-own', script, 0o755)
    await write('.docker/config.json', { credHelpers: { [registry.host]: 'own' } })
    const env = { PATH: `${join(home.path, 'bin')}${delimiter}${process.env.PATH}` }
    expect((await push(env)).code).toBe(0)
    expect(await readFile(log, 'utf8')).toBe(`get ${registry.host}\n`)
    const { stdout } = await user(['auth', 'which', registry.host], env)
    expect(stdout).toMatch(/: password of ada from docker-credential-own, from .*config\.json\n/)
    const logout = await user(['logout', registry.host], env)
    expect(logout.code).toBe(0)
    expect(logout.stderr).toMatch(
      /^warning: still logged in to .*: password of ada from docker-credential-own\n$/,
    )
  })
})

describe('auth list', () => {
  it('R222: shows every login, which of them is used, and no secret', async () => {
    const config = await write('.docker/config.json', {
      auths: {
        'https://index.docker.io/v1/': GOOD,
        'quay.io': GOOD,
        'r.example': { identitytoken: 'canary' },
      },
      credHelpers: { 'gcr.io': 'gcloud' },
    })
    const auth = await write('.config/containers/auth.json', {
      auths: { 'quay.io/acme': BAD, 'docker.io': BAD, 'ghcr.io/acme': BAD },
    })
    const { code, stdout, stderr } = await user(['auth', 'list'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.split('\n').map(line => line.trim().split(/ {2,}/))).toEqual([
      ['REGISTRY', 'USER', 'KIND', 'STATE', 'PLACE'],
      ['gcr.io', '-', 'docker-credential-gcloud', 'used', config],
      ['docker.io', 'ada', 'password', 'used', config],
      ['quay.io', 'ada', 'password', 'used', config],
      ['r.example', '-', 'identity token', 'used', config],
      ['quay.io/acme', 'eve', 'password', 'shadowed', auth],
      ['docker.io', 'eve', 'password', 'shadowed', auth],
      ['ghcr.io/acme', 'eve', 'password', 'used', auth],
      [''],
    ])
    const json = await user(['auth', 'list', '--json'])
    expect(schemaErrors('auth-list', json.stdout)).toEqual([])
  })

  it('R121: names a file that it cannot read, and lists the others', async () => {
    await write('.docker/config.json', 'canary {')
    await write('.config/containers/auth.json', { auths: { 'quay.io': GOOD } })
    const { code, stdout, stderr } = await user(['auth', 'list'])
    expect(code).toBe(0)
    expect(stdout).toContain('quay.io')
    expect(stderr).toMatch(/^warning: cannot read the credentials in .*config\.json: it is not JSON\n$/)
    const json = await user(['auth', 'list', '--json'])
    expect(schemaErrors('auth-list', json.stdout)).toEqual([])
    expect(JSON.parse(json.stdout).failures).toHaveLength(1)
    const which = await user(['auth', 'which', 'quay.io', '--json'])
    expect(schemaErrors('auth-which', which.stdout)).toEqual([])
    expect((await user(['auth', 'which', 'quay.io'])).stdout).toContain('quay.io: the look-up fails\n')
  })

  it('says when there is none', async () => {
    expect(await user(['auth', 'list'])).toMatchObject({ code: 0, stdout: 'No logins\n', stderr: '' })
  })
})

describe('auth which', () => {
  it.each([
    ['ubuntu', 'docker.io/library/ubuntu'],
    ['ubuntu:22.04', 'docker.io/library/ubuntu'],
    ['ghcr.io', 'ghcr.io'],
    ['localhost:5000', 'localhost:5000'],
    ['host:5000/', 'host:5000'],
    ['registry-1.docker.io', 'docker.io'],
    ['ghcr.io/acme/app:1', 'ghcr.io/acme/app'],
  ])('%s is about %s', async (text, subject) => {
    const { code, stdout } = await user(['auth', 'which', text])
    expect(code).toBe(0)
    expect(stdout.split('\n', 1)[0]).toBe(`${subject}: no login, so that it is asked without one`)
  })
})

describe('logout', () => {
  it('R132: removes Docker Hub under all its names, and says who is still logged in', async () => {
    const config = await write('.docker/config.json', {
      auths: { 'https://index.docker.io/v1/': GOOD, 'docker.io': GOOD, 'quay.io': GOOD },
    })
    const auth = await write('.config/containers/auth.json', { auths: { 'docker.io': GOOD } })
    const { code, stdout } = await user(['logout', '--json'])
    expect(code).toBe(0)
    expect(schemaErrors('logout', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject({
      results: [
        {
          registry: 'docker.io',
          removedFrom: [config],
          remaining: [{ place: auth, entry: { username: USER } }],
        },
      ],
    })
    expect(Object.keys(JSON.parse(await readFile(config, 'utf8')).auths)).toEqual(['quay.io'])
    expect(await user(['logout'])).toMatchObject({
      code: 0,
      stdout: 'Not logged in to docker.io\n',
      stderr: `warning: still logged in to docker.io by ${auth}: password of ada\n`,
    })
  })

  it('goes through all registries with --all', async () => {
    const config = await write('.docker/config.json', { auths: { 'quay.io': GOOD, 'ghcr.io': BAD, x: {} } })
    expect(await user(['logout', '--all'])).toMatchObject({
      code: 0,
      stdout: ['ghcr.io', 'quay.io'].map(name => `Removed the login of ${name} from ${config}\n`).join(''),
    })
    expect((await user(['logout', '--all'])).stdout).toBe('Not logged in anywhere\n')
    expect((await user(['logout', 'quay.io', '--all'])).code).toBe(2)
  })
})

/** Commands of a shell that has a keychain, which is new and unlocked. Of what D-Bus says itself nothing is handed on. */
async function withKeychain(commands: string): Promise<RunResult> {
  const start = 'printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1'
  const regctl = `"${process.execPath}" "${join(import.meta.dirname, '../../bin/run.js')}"`
  const script = `${start}; ${commands.replaceAll(/\bregctl /g, `${regctl} `)}`
  const env = cleanEnvironment(home.path)
  const result = await run('dbus-run-session', ['--', 'sh', '-c', script], { env, timeoutMs: 120_000 })
  for (const secret of SECRETS) expect(result.stdout + result.stderr).not.toContain(secret)
  return { ...result, stderr: result.stderr.match(/^(?:error|hint|warning): .*/gm)?.join('\n') ?? '' }
}

describe.skipIf(missingTool('dbus-run-session', 'gnome-keyring-daemon'))('with a keychain', () => {
  it('a login is kept there, found there, and removed from there', async () => {
    await write('password', `${PASSWORD}\n`)
    const { host } = registry
    const { stdout, stderr } = await withKeychain(
      `regctl login ${host} -u ${USER} --password-stdin <"$HOME/password"; ` +
        `regctl push "${image}" ${host}/kept; regctl auth list; regctl logout ${host}; regctl auth which ${host}`,
    )
    expect(stderr).toBe('')
    const keychain = 'the keychain (Secret Service)'
    expect(stdout).toContain(`Login Succeeded\nThe password of ada for ${host} is in ${keychain}\n`)
    expect(stdout).toContain('latest: digest: sha256:')
    expect(stdout).toMatch(new RegExp(`${host} +ada +password +used +the keychain \\(Secret Service\\)`))
    expect(stdout).toContain(`Removed the login of ${host} from ${keychain}\n`)
    expect(stdout).toContain(`${host}: no login`)
  })

  it('logins in plain text are imported, and removed from their files when they are safe', async () => {
    const left = { 'helped.example': {}, 'quay.io/acme': GOOD, 'token.example': { registrytoken: 'canary' } }
    const config = await write('.docker/config.json', {
      auths: { 'https://index.docker.io/v1/': GOOD, 'quay.io': GOOD, 'helped.example': {} },
      psFormat: 'x',
    })
    const auth = await write('.run/containers/auth.json', {
      auths: { ...left, 'quay.io': BAD, 'id.example': { identitytoken: 'canary-token' } },
    })
    const { stdout, stderr } = await withKeychain(
      'regctl auth import --dry-run --json; echo ---; regctl auth import --remove; echo ---; ' +
        'regctl auth import --json; echo ---; regctl auth list',
    )
    expect(stderr).toBe('')
    const [dry = '', imported = '', again = '', list = ''] = stdout.split('---\n')
    expect(schemaErrors('auth-import', dry)).toEqual([])
    expect(JSON.parse(dry)).toMatchObject({ dryRun: true, results: { length: 8 } })
    expect(imported.split('\n').sort()).toEqual(
      [
        `Imported: docker.io (password of ada), in ${config}, and removed it there`,
        `Imported: quay.io (password of ada), in ${config}, and removed it there`,
        `Imported: id.example (identity token), in ${auth}, and removed it there`,
        `Left: helped.example (what a helper answers), in ${config}: a credential helper keeps it`,
        `Left: helped.example (what a helper answers), in ${auth}: a credential helper keeps it`,
        `Left: quay.io (password of ada), in ${auth}: it is for a part of the registry only`,
        `Left: quay.io (password of eve), in ${auth}: the keychain has another login`,
        `Left: token.example (registry token), in ${auth}: the keychain keeps no tokens of this kind`,
        '',
      ].sort(),
    )
    expect(JSON.parse(again).results).toHaveLength(5)
    expect(list).toMatch(/docker\.io +ada +password +used +the keychain/)
    expect(JSON.parse(await readFile(config, 'utf8'))).toEqual({
      auths: { 'helped.example': {} },
      psFormat: 'x',
    })
    expect(JSON.parse(await readFile(auth, 'utf8'))).toEqual({ auths: { ...left, 'quay.io': BAD } })
  })
})

describe('auth import', () => {
  it('needs a keychain, and changes nothing without one', async () => {
    const config = await write('.docker/config.json', { auths: { 'quay.io': GOOD } })
    const before = await readFile(config, 'utf8')
    const { code, stderr } = await user(['auth', 'import', '--remove'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: there is no keychain: /)
    expect(await readFile(config, 'utf8')).toBe(before)
  })

  it('says when there is nothing, and when a file is not there', async () => {
    expect(await user(['auth', 'import'])).toMatchObject({ code: 0, stdout: 'Nothing to import\n' })
    expect(await user(['auth', 'import', 'none.json'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('error: there is no file none.json'),
    })
  })
})
