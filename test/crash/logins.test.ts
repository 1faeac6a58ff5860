import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Htpasswd } from '../../src/server/htpasswd.js'
import { startRegistry, type TestRegistry } from '../e2e/test-registry.js'
import { Cleanup } from '../support/cleanup.js'
import { run } from '../support/run.js'
import { missingSecretService, startSecretService } from '../support/secret-service.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { KILLS, killAtRandom, LIMIT_MS, randomNumbers, runOrKill, SEED } from './random-kill.js'

vi.setConfig({ testTimeout: LIMIT_MS })

const PASSWORD = 'correct horse'
const AUTH = Buffer.from(`ada:${PASSWORD}`).toString('base64')
const AT_ONCE = 4

const stack = new Cleanup()
let registries: TestRegistry[]

beforeAll(async () => {
  const htpasswd = Htpasswd.parse(`ada:${bcrypt.hashSync(PASSWORD, 4)}\n`, 'the test')
  registries = await Promise.all(Array.from({ length: AT_ONCE }, () => startRegistry({ htpasswd })))
  for (const registry of registries) stack.use(registry)
})
afterAll(() => stack[Symbol.asyncDispose]())

async function configOf(home: string): Promise<{ auths: Record<string, { auth: string }> }> {
  const path = join(home, '.docker/config.json')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  return JSON.parse(await readFile(path, 'utf8'))
}

describe('killed logins', () => {
  it('leave a file with all that was in it, whole and private, and do not stop the next one', async () => {
    const random = randomNumbers(SEED + 100)
    const home = stack.use(await temporaryFolder()).path
    const login = (host: string) => ({
      parameters: ['login', host, '-u', 'ada', '--password-stdin', '--store', 'file'],
      home,
      stdin: PASSWORD,
    })
    await mkdir(join(home, '.docker'), { mode: 0o700 })
    const before = { auths: { 'before.example': { auth: 'YTpi' } }, credHelpers: {}, other: [1] }
    const path = join(home, '.docker/config.json')
    await writeFile(path, JSON.stringify(before), { mode: 0o600 })
    const first = await runOrKill(login(registries[0]?.host ?? ''))
    expect(first).toMatchObject({ code: 0 })
    for (let round = 0; round < Math.max(1, KILLS / 30); round++) {
      await writeFile(path, JSON.stringify(before))
      const ended = await Promise.all(
        registries.map(({ host }) => killAtRandom(login(host), 1.3 * first.tookMs, random)),
      )
      const { auths, ...rest } = await configOf(home)
      expect({ ...rest, auths: { 'before.example': auths['before.example'] } }).toEqual(before)
      for (const [number, { code }] of ended.entries()) {
        const entry = auths[registries[number]?.host ?? '']
        expect([undefined, { auth: AUTH }]).toContainEqual(entry)
        if (code === 0) expect(entry).toEqual({ auth: AUTH })
      }
      const again = await Promise.all(registries.map(({ host }) => runOrKill(login(host))))
      expect(again.map(({ code }) => code)).toEqual(registries.map(() => 0))
      const after = await configOf(home)
      for (const { host } of registries) expect(after.auths[host]).toEqual({ auth: AUTH })
      expect(await readdir(join(home, '.docker'))).toEqual(['config.json'])
    }
  })
})

const noKeychain = missingSecretService()

describe.skipIf(noKeychain !== undefined)('a killed import', () => {
  it('has each login in the file or in the keychain, and the next one ends it', async () => {
    const random = randomNumbers(SEED + 200)
    await using service = await startSecretService()
    const config = join(service.home, '.docker/config.json')
    await mkdir(join(service.home, '.docker'), { recursive: true, mode: 0o700 })
    const hosts = Array.from({ length: 12 }, (_, number) => `host${number}.example`)
    const command = { parameters: ['auth', 'import', '--remove'], home: service.home, env: service.env }
    let usualMs = 0
    for (let round = 0; round <= Math.max(2, KILLS / 15); round++) {
      const entries = hosts.map(host => [
        host,
        { auth: Buffer.from(`ada:${round} ${host}`).toString('base64') },
      ])
      await writeFile(config, JSON.stringify({ auths: Object.fromEntries(entries) }), { mode: 0o600 })
      // The first one tells how long it takes.
      if (round === 0) usualMs = (await runOrKill(command)).tookMs
      else {
        await killAtRandom(command, usualMs, random)
        const { auths = {} } = await configOf(service.home)
        for (const [host, entry] of entries as [string, { auth: string }][]) {
          if (auths[host] === undefined) expect(await secretOf(host, service.env)).toBe(`${round} ${host}`)
          else expect(auths[host]).toEqual(entry)
        }
        expect(await runOrKill(command)).toMatchObject({ code: 0 })
      }
      // What is kept for a host already is not replaced unasked.
      for (const host of hosts) {
        expect(await secretOf(host, service.env)).toBe(`${round} ${host}`)
        await run('secret-tool', ['clear', ...attributesOf(host)], { env: service.env })
      }
    }
  })
})

async function secretOf(host: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await run('secret-tool', ['lookup', ...attributesOf(host)], { env })
  return JSON.parse(stdout).Secret
}

function attributesOf(host: string): string[] {
  return ['service', 'regctl', 'username', host]
}
