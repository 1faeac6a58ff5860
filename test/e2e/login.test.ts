import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import { Htpasswd } from '../../src/server/htpasswd.js'
import { createRegistryServer } from '../../src/server/server.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type DockerRegistry, REGISTRY_USER, startDockerRegistry } from '../support/docker-registry.js'
import { schemaErrors } from '../support/json-schema.js'
import { cleanEnvironment, type RunResult, regctl, regctlWith } from '../support/run.js'
import { answer, startScripted } from '../support/scripted-server.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { atTerminal } from '../support/terminal.js'
import { cannotRun, missingTool } from '../support/tools.js'
import { startRegistry } from './test-registry.js'

const { name, password } = REGISTRY_USER
const WRONG = 'canary-wrong'
const base64 = (text: string) => Buffer.from(text).toString('base64')
const configIn = (home: string) => join(home, '.docker/config.json')

/** A user of their own, with what they type at standard input. */
function loginOf(home: string, stdin: string, ...parameters: string[]): Promise<RunResult> {
  return regctlWith({ home, stdin: `${stdin}\n` }, 'login', ...parameters, '-u', name, '--password-stdin')
}

const kinds = ['passwords', 'tokens'] as const

describe.skipIf(missingTool('docker-registry', 'openssl')).each(kinds)(
  'login to a registry with %s',
  kind => {
    let folder: TemporaryFolder
    let registry: DockerRegistry
    let image: string

    beforeAll(async () => {
      folder = await temporaryFolder()
      image = join(folder.path, 'image.tar')
      await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }] }])
      registry = await startDockerRegistry(kind === 'tokens' ? { tokenAuth: true } : { htpasswd: true })
    })

    afterAll(async () => {
      await registry[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    })

    it("lets a push through, by a login that is in Docker's config.json", async () => {
      await using home = await temporaryFolder()
      const { code, stdout, stderr } = await loginOf(home.path, password, registry.host, '--store', 'file')
      const path = configIn(home.path)
      expect({ code, stdout, stderr }).toEqual({
        code: 0,
        stdout: `Login Succeeded\nThe password of ada for ${registry.host} is in ${path}\n`,
        stderr: `warning: the login is in plain text in ${path}\n`,
      })
      expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
        auths: { [registry.host]: { auth: base64(`${name}:${password}`) } },
      })
      const push = await regctlWith({ home: home.path }, 'push', image, `${registry.host}/mine`)
      expect(push).toMatchObject({ code: 0, stderr: '' })
      const logout = await regctlWith({ home: home.path }, 'logout', registry.host)
      expect(logout).toMatchObject({
        code: 0,
        stdout: `Removed the login of ${registry.host} from ${path}\n`,
        stderr: '',
      })
      expect((await regctlWith({ home: home.path }, 'push', image, `${registry.host}/mine`)).code).toBe(4)
      expect(await regctlWith({ home: home.path }, 'logout', registry.host)).toMatchObject({
        code: 0,
        stdout: `Not logged in to ${registry.host}\n`,
      })
    })

    it('R101, R219: with a wrong password is refused, and nothing is stored or shown', async () => {
      await using home = await temporaryFolder()
      const flags = [registry.host, '--store', 'file', '--debug']
      const { code, stdout, stderr } = await loginOf(home.path, WRONG, ...flags)
      expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
      expect(stderr).toMatch(
        new RegExp(
          `^error: login to ${registry.host} failed: wrong user name or password: GET 127\\.0\\.0\\.1:\\d+/\\S+ answered 401`,
          'm',
        ),
      )
      expect(stderr).toMatch(/^hint: .* access token in the password's place/m)
      for (const secret of [WRONG, base64(`${name}:${WRONG}`)]) expect(stderr).not.toContain(secret)
      expect(existsSync(configIn(home.path))).toBe(false)
    })

    it('R9: is what the hint names where a repository is hidden', async () => {
      const { code, stderr } = await regctl('digest', `${registry.host}/hidden`)
      expect(code).toBe(4)
      expect(stderr).toContain(`hint: Log in with \`regctl login ${registry.host}\``)
    })

    it('keeps what it was before where a new login is refused', async () => {
      await using home = await temporaryFolder()
      await loginOf(home.path, password, registry.host, '--store', 'file')
      const before = await readFile(configIn(home.path), 'utf8')
      expect((await loginOf(home.path, WRONG, registry.host, '--store', 'file')).code).toBe(4)
      expect(await readFile(configIn(home.path), 'utf8')).toBe(before)
    })
  },
)

describe('login', () => {
  let folder: TemporaryFolder
  let htpasswd: Htpasswd

  beforeAll(async () => {
    folder = await temporaryFolder()
    const file = join(folder.path, 'htpasswd')
    await writeFile(file, `${name}:${bcrypt.hashSync(password, 4)}\n`)
    htpasswd = await Htpasswd.load(file)
  })

  afterAll(() => folder[Symbol.asyncDispose]())

  it('without a keychain says so with the ways out, and stores nothing', async () => {
    await using home = await temporaryFolder()
    await using registry = await startRegistry({ htpasswd })
    const { code, stdout, stderr } = await loginOf(home.path, password, registry.host)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^error: there is no keychain: .*\nhint: .*--store file.*DOCKER_AUTH_CONFIG/)
    expect(existsSync(configIn(home.path))).toBe(false)
  })

  it('is not needed everywhere, and stores nothing then without --force', async () => {
    await using home = await temporaryFolder()
    await using registry = await startRegistry()
    expect(await loginOf(home.path, password, registry.host)).toMatchObject({
      code: 0,
      stdout: `${registry.host} needs no login, and nothing was stored\n`,
      stderr: '',
    })
    expect(existsSync(configIn(home.path))).toBe(false)
    const forced = await loginOf(home.path, password, registry.host, '--force', '--store', 'file', '--json')
    expect(forced.code).toBe(0)
    expect(schemaErrors('login', forced.stdout)).toEqual([])
    expect(JSON.parse(forced.stdout)).toEqual({
      registry: registry.host,
      state: 'stored',
      username: name,
      kind: 'password',
      isChecked: false,
      store: configIn(home.path),
    })
  })

  it('takes an address or a repository for its registry', async () => {
    await using home = await temporaryFolder()
    await using registry = await startRegistry({ htpasswd })
    const flags = [`http://${registry.host}/team/app`, '--store', 'file', '--json']
    const { code, stdout, stderr } = await loginOf(home.path, password, ...flags)
    expect(code).toBe(0)
    expect(stderr).toContain(`warning: a login is for all of ${registry.host}: "team/app" is left out\n`)
    expect(schemaErrors('login', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject({ registry: registry.host, state: 'stored', isChecked: true })
  })

  it.each([
    ['acme/app', /"acme\/app" names no registry\nhint: .*docker\.io/],
    ['ubuntu', /"ubuntu" is not a registry: it is no host\nhint: /],
  ])('refuses %s, which names no registry', async (text, expected) => {
    const { code, stderr } = await regctl('login', text)
    expect(code).toBe(2)
    expect(stderr).toMatch(expected)
  })

  it('says where there is no registry', async () => {
    await using server = await startScripted([[/./, answer(404, {}, 'nothing here')]])
    const { code, stderr } = await loginOf(folder.path, password, server.host)
    expect(code).toBe(1)
    expect(stderr).toMatch(new RegExp(`there is no registry at ${server.host}: GET .* answered 404`))
  })

  it('R220: takes a password from the command line, with a warning', async () => {
    await using home = await temporaryFolder()
    await using registry = await startRegistry({ htpasswd })
    const flags = ['-u', name, '-p', password, '--store', 'file']
    const { code, stderr } = await regctlWith({ home: home.path }, 'login', registry.host, ...flags)
    expect(code).toBe(0)
    expect(stderr).toMatch(/^warning: a password on the command line can be seen by others: --password-stdin/)
  })

  it('needs a terminal or --password-stdin, and asks the registry first', async () => {
    await using registry = await startRegistry({ htpasswd })
    const { code, stderr } = await regctl('login', registry.host, '-u', name, '--store', 'file')
    expect(code).toBe(2)
    expect(stderr).toBe(
      `error: a password is needed for ${registry.host}, and there is no terminal to ask at\n` +
        `hint: Give it as in \`echo "$PASSWORD" | regctl login ${registry.host} --username ada --password-stdin\`\n`,
    )
  })

  it.each([
    ['R222: a colon in the user name', ['-u', 'a:b', '--password-stdin'], 'x', /user name has a colon/],
    ['an empty password', ['-u', name, '--password-stdin'], '', /the password is empty/],
    ['an empty identity token', ['--identity-token-stdin'], '', /the identity token is empty/],
  ])('refuses %s', async (_what, flags, stdin, expected) => {
    await using registry = await startRegistry({ htpasswd })
    const { code, stderr } = await regctlWith({ stdin }, 'login', registry.host, '--store', 'file', ...flags)
    expect(code).toBe(2)
    expect(stderr).toMatch(expected)
  })

  it('says which login is used instead, as it is looked up first', async () => {
    await using home = await temporaryFolder()
    await using registry = await startRegistry({ htpasswd })
    const env = {
      DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry.host]: { auth: base64('other:x') } } }),
    }
    const flags = ['--store', 'file', '-u', name, '--password-stdin']
    const options = { home: home.path, env, stdin: password }
    const { code, stderr } = await regctlWith(options, 'login', registry.host, ...flags)
    expect(code).toBe(0)
    expect(stderr).toContain('warning: regctl goes on using the login from DOCKER_AUTH_CONFIG, which')
  })

  it('keeps everything else that is in config.json', async () => {
    await using home = await temporaryFolder()
    await using registry = await startRegistry({ htpasswd })
    await mkdir(join(home.path, '.docker'))
    const before = { psFormat: 'x', auths: { 'other.example': { auth: base64('a:b') } }, unknown: [1] }
    await writeFile(configIn(home.path), JSON.stringify(before))
    expect((await loginOf(home.path, password, registry.host, '--store', 'file')).code).toBe(0)
    expect(JSON.parse(await readFile(configIn(home.path), 'utf8'))).toMatchObject(before)
    expect((await regctlWith({ home: home.path }, 'logout', registry.host)).code).toBe(0)
    expect(JSON.parse(await readFile(configIn(home.path), 'utf8'))).toEqual(before)
  })

  describe.skipIf(missingTool('script'))('at a terminal', () => {
    it('asks for user name and password, and shows nothing of the password', async () => {
      await using home = await temporaryFolder()
      await using registry = await startRegistry({ htpasswd })
      const { code, shown } = await atTerminal(
        `login ${registry.host} --store file`,
        [
          { shown: `User name for ${registry.host}: `, type: `${name}\n` },
          { shown: 'Password: ', type: `x${password}!\x7f\x1b[D`.replace('x', 'wrong\x15') },
          { shown: '', type: '\r' },
        ],
        cleanEnvironment(home.path),
      )
      expect(shown).toContain('Login Succeeded')
      expect(shown).not.toContain(password)
      expect(shown).not.toContain('wrong')
      expect({ code, end: shown.trimEnd().split(/\s/).at(-1) }).toEqual({ code: 0, end: 'echo' })
      const again = await atTerminal(
        `login ${registry.host} --store file`,
        [
          { shown: `User name for ${registry.host} (ada): `, type: '\n' },
          { shown: 'Password: ', type: `${password}\n` },
        ],
        cleanEnvironment(home.path),
      )
      expect(again.code).toBe(0)
    })

    it('other commands ask for the password of --username, and show nothing of it', async () => {
      await using home = await temporaryFolder()
      await using registry = await startRegistry({ htpasswd })
      const env = cleanEnvironment(home.path)
      for (const flags of ['-u ada', '-u ada --password-stdin']) {
        const steps = [{ shown: 'Password: ', type: `${password}\n` }]
        const { code, shown } = await atTerminal(`catalog ${registry.host} ${flags}`, steps, env)
        expect(code).toBe(0)
        expect(shown).not.toContain(password)
      }
    })

    it('ends with Ctrl-C at either question, and leaves the terminal as it was', async () => {
      await using home = await temporaryFolder()
      await using registry = await startRegistry({ htpasswd })
      for (const flags of ['', '-u ada']) {
        const { code, shown } = await atTerminal(
          `login ${registry.host} --store file ${flags}`,
          [{ shown: flags === '' ? 'User name' : 'Password: ', type: '\x03' }],
          cleanEnvironment(home.path),
        )
        expect(shown).toContain('error: interrupted')
        expect({ code, end: shown.trimEnd().split(/\s/).at(-1) }).toEqual({ code: 130, end: 'echo' })
      }
      expect(existsSync(configIn(home.path))).toBe(false)
    })
  })

  const isLinux = process.platform === 'linux'
  it.skipIf(isLinux ? undefined : cannotRun('only Linux has all of 127.0.0.0/8 at once'))(
    'of fifty processes at once leaves fifty entries',
    { timeout: 240_000 },
    async () => {
      await using home = await temporaryFolder()
      const server = createRegistryServer({ repositories: new MemoryCollection(), htpasswd })
      const { port } = await server.listen('0.0.0.0', 0)
      try {
        const hosts = Array.from({ length: 50 }, (_, index) => `127.0.0.${index + 1}:${port}`)
        const flags = ['--store', 'file', '-u', name, '--password-stdin']
        const options = { home: home.path, stdin: password, timeoutMs: 200_000 }
        const results = await Promise.all(hosts.map(host => regctlWith(options, 'login', host, ...flags)))
        expect(results.filter(({ code }) => code !== 0).map(({ stderr }) => stderr)).toEqual([])
        const { auths } = JSON.parse(await readFile(configIn(home.path), 'utf8'))
        expect(Object.keys(auths).sort()).toEqual([...hosts].sort())
      } finally {
        await server.close()
      }
    },
  )
})
