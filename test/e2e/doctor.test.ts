import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Htpasswd } from '../../src/server/htpasswd.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type Authority, makeAuthority, ownAddress } from '../support/certificates.js'
import { REGISTRY_USER, startDockerRegistry } from '../support/docker-registry.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl, regctlWith } from '../support/run.js'
import { answer, refusal, startScripted } from '../support/scripted-server.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startTls } from '../support/tls-server.js'
import { missingTool } from '../support/tools.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const PASSWORD = 'canary staple'
const VERSION = { 'docker-distribution-api-version': 'registry/2.0' }
/** The line of a check. */
const lineOf = (stdout: string, check: string) =>
  stdout
    .split('\n')
    .find(line => line.slice(9).startsWith(`${check} `))
    ?.replace(/ +/g, ' ')

describe('doctor', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  let closed: TestRegistry

  beforeAll(async () => {
    folder = await temporaryFolder()
    const image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }], repoTags: ['app:1'] }])
    registry = await startRegistry()
    const file = join(folder.path, 'htpasswd')
    await writeFile(file, `ada:${bcrypt.hashSync(PASSWORD, 4)}\n`)
    closed = await startRegistry({ htpasswd: await Htpasswd.load(file) })
    expect((await regctl('push', image, `${registry.host}/app:1`)).code).toBe(0)
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await closed[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('has nothing against a registry where all is well, one line each, and leaves no upload behind', async () => {
    const before = registry.requests().length
    const { code, stdout, stderr } = await regctl('doctor', `${registry.host}/app:1`)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).not.toMatch(/^(?:warning|problem)/m)
    expect(lineOf(stdout, 'name')).toBe('ok name 127.0.0.1 is an address')
    expect(lineOf(stdout, 'transport')).toBe('ok transport HTTP, on this machine alone')
    expect(lineOf(stdout, 'api')).toContain('GET /v2/ answered 200')
    expect(lineOf(stdout, 'clock')).toBe("ok clock it agrees with the registry's")
    expect(lineOf(stdout, 'pull')).toBe(`ok pull allowed from ${registry.host}/app`)
    expect(lineOf(stdout, 'push')).toBe(`ok push allowed to ${registry.host}/app`)
    expect(lineOf(stdout, 'referrers')).toBe('ok referrers listed by the registry')
    const writes = registry
      .requests()
      .slice(before)
      .filter(line => !/^(?:GET|HEAD)/.test(line))
    expect(writes.map(line => line.split(' ')[0])).toEqual(['POST', 'DELETE'])
  })

  it('says the same in JSON, by its schema', async () => {
    const { code, stdout } = await regctl('doctor', `${registry.host}/app`, '--json')
    expect(code).toBe(0)
    expect(schemaErrors('doctor', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject({ registry: registry.host, repository: 'app', usable: true })
  })

  it('ends with the code of the first problem', async () => {
    const absent = await regctl('doctor', `${registry.host}/app:2`)
    expect(lineOf(absent.stdout, 'pull')).toContain('which has no 2')
    expect(absent.code).toBe(3)
    const silent = await regctl('doctor', 'localhost:1/app', '--json')
    expect(schemaErrors('doctor', silent.stdout)).toEqual([])
    expect(JSON.parse(silent.stdout).findings).toContainEqual({
      check: 'port',
      state: 'problem',
      message: '1: connection refused',
      advice: 'Check that the registry runs, its port, and the firewalls on the way',
    })
    expect(silent.code).toBe(5)
    const usage = await regctl('doctor', 'https://registry.example')
    expect(usage.code).toBe(2)
  })

  it('says which credentials are found and where, whether they are taken, and never shows them', async () => {
    await using home = await temporaryFolder()
    await mkdir(join(home.path, '.docker'))
    const write = (password: string) =>
      writeFile(
        join(home.path, '.docker/config.json'),
        JSON.stringify({
          auths: { [closed.host]: { auth: Buffer.from(`ada:${password}`).toString('base64') } },
        }),
      )
    await write(PASSWORD)
    const right = await regctlWith({ home: home.path }, 'doctor', `${closed.host}/app`, '--debug')
    expect(lineOf(right.stdout, 'login')).toBe('ok login by user name and password')
    expect(lineOf(right.stdout, 'credentials')).toBe(
      `ok credentials those of ${join(home.path, '.docker/config.json')} for ada are taken`,
    )
    expect(lineOf(right.stdout, 'push')).toContain('ok push')
    expect(right.code).toBe(0)
    await write('canary wrong')
    const wrong = await regctlWith({ home: home.path }, 'doctor', `${closed.host}/app`, '--debug')
    expect(lineOf(wrong.stdout, 'credentials')).toMatch(/^problem credentials .* for ada are not taken: /)
    expect(wrong.code).toBe(4)
    const none = await regctl('doctor', `${closed.host}/app`)
    expect(lineOf(none.stdout, 'credentials')).toBe('warning credentials none are found')
    expect(none.stdout).toContain(`hint:`)
    expect(lineOf(none.stdout, 'pull')).toMatch(/^problem/)
    expect(none.code).toBe(4)
    for (const { stdout, stderr } of [right, wrong]) expect(stdout + stderr).not.toMatch(/canary|Y2FuYXJ5/)
  })

  it('knows a web page, a wrong clock, a missing right to push and a limit of pulls', async () => {
    await using page = await startScripted([[/./, answer(200, { 'content-type': 'text/html' }, '<html>')]])
    const web = await regctl('doctor', page.host)
    expect(lineOf(web.stdout, 'api')).toBe('problem api GET /v2/ answered 200 with a web page')
    expect(web.code).toBe(1)
    await using odd = await startScripted([
      [/^GET \/v2\/$/, answer(200, { ...VERSION, date: new Date(Date.now() - 600_000).toUTCString() })],
      [
        /^HEAD .*manifests/,
        answer(200, { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '3;w=21600' }),
      ],
      [/^POST/, refusal(403, 'DENIED')],
    ])
    const { code, stdout } = await regctl('doctor', `${odd.host}/app`)
    expect(lineOf(stdout, 'clock')).toMatch(
      /^warning clock the clock of this machine is (?:599|60\d) s ahead of/,
    )
    expect(lineOf(stdout, 'push')).toMatch(/^warning push .*access denied/)
    expect(lineOf(stdout, 'rate-limit')).toBe('warning rate-limit 3 of 100 pulls are left in 6 h')
    expect(code).toBe(0)
    expect((await regctl('doctor', `${odd.host}/app`, '--push')).code).toBe(4)
  })
})

describe.skipIf(missingTool('docker-registry', 'openssl'))('doctor at docker-registry', () => {
  it('says where tokens come from, and what is allowed with one', async () => {
    await using registry = await startDockerRegistry({ tokenAuth: true })
    const { name, password } = REGISTRY_USER
    const login = ['--username', name, '--password-stdin']
    const flags = [`${registry.host}/app`, '--push', ...login]
    const right = await regctlWith({ stdin: password }, 'doctor', ...flags)
    expect(lineOf(right.stdout, 'login')).toMatch(
      /^ok login by a token of http:\/\/127\.0\.0\.1:\d+\/token for test registry$/,
    )
    expect(lineOf(right.stdout, 'credentials')).toMatch(/^ok credentials .* for ada are taken$/)
    expect(lineOf(right.stdout, 'pull')).toMatch(/^warning pull there is no repository/)
    expect(lineOf(right.stdout, 'push')).toBe(`ok push allowed to ${registry.host}/app`)
    expect(right.code).toBe(0)
    const wrong = await regctlWith({ stdin: 'canary wrong' }, 'doctor', ...flags, '--debug')
    expect(lineOf(wrong.stdout, 'credentials')).toMatch(/^problem credentials .* are not taken: /)
    expect(wrong.stdout + wrong.stderr).not.toContain('canary')
    expect(wrong.code).toBe(4)
  })
})

const address = ownAddress() ?? ''

describe.skipIf(missingTool('openssl') ?? address === '')('doctor at TLS', () => {
  let folder: TemporaryFolder
  let authority: Authority

  beforeAll(async () => {
    folder = await temporaryFolder()
    authority = await makeAuthority(folder.path)
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it('shows the certificate, and the file that would make it trusted', async () => {
    const certificate = await authority.issue({ names: [address] })
    await using server = await startTls({
      certificate,
      address,
      answer: () => ({ status: 200, headers: VERSION }),
    })
    const unknown = await regctl('doctor', server.host)
    expect(lineOf(unknown.stdout, 'transport')).toBe('ok transport HTTPS (TLSv1.3)')
    expect(lineOf(unknown.stdout, 'certificate')).toBe(
      'problem certificate certificate signed by unknown authority (CN=Test Authority)',
    )
    expect(unknown.stdout).toContain(`/etc/docker/certs.d/${server.host}/ca.crt`)
    expect(unknown.code).toBe(5)
    const known = await regctl('doctor', server.host, '--ca-file', authority.caFile, '--json')
    const document = JSON.parse(known.stdout)
    expect(schemaErrors('doctor', known.stdout)).toEqual([])
    expect(document.certificates[0]).toMatchObject({ names: [address], issuer: 'CN=Test Authority' })
    expect(document.findings).toContainEqual(
      expect.objectContaining({ check: 'certificate', state: 'warning', advice: 'Have it renewed' }),
    )
    expect(known.code).toBe(0)
    const insecure = await regctl('doctor', server.host, '--insecure-registry', server.host)
    expect(lineOf(insecure.stdout, 'certificate')).toContain('not looked at, since the registry is insecure')
    expect(insecure.code).toBe(0)
  })

  it('tells clear text where HTTPS is wanted', async () => {
    const server = createServer((_request, response) => response.writeHead(200, VERSION).end())
    server.listen(0, address)
    await once(server, 'listening')
    const host = `${address}:${(server.address() as AddressInfo).port}`
    try {
      const { code, stdout } = await regctl('doctor', host)
      expect(lineOf(stdout, 'transport')).toBe('problem transport server gave HTTP response to HTTPS client')
      expect(stdout).toContain(`--insecure-registry ${host}`)
      expect(code).toBe(5)
      expect((await regctl('doctor', host, '--insecure-registry', host)).code).toBe(0)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
