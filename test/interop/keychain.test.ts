import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cleanEnvironment, type RunResult, run } from '../support/run.js'
import { missingSecretService, type SecretService, startSecretService } from '../support/secret-service.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const HELPER = fileURLToPath(new URL('../../bin/docker-credential-regctl.js', import.meta.url))
const LIBRARY = new URL('../../dist/index.js', import.meta.url).href
const SECRET = 'canary \u00e4 secret'

type Environment = Readonly<Record<string, string>>

function helper(env: Environment, action: string, stdin = ''): Promise<RunResult> {
  return run(process.execPath, [HELPER, action], { env, stdin })
}

function storeIn(env: Environment, server: string, secret = SECRET): Promise<RunResult> {
  return helper(env, 'store', JSON.stringify({ ServerURL: server, Username: 'ada', Secret: secret }))
}

/** Runs a line that uses `keychain`, with our library. @returns what it gives, or the code and the message of its error */
async function useKeychain(env: Environment, line: string, options: object = {}): Promise<unknown> {
  const script = `
    import { openKeychain } from ${JSON.stringify(LIBRARY)}
    try {
      const keychain = await openKeychain(${JSON.stringify(options)})
      console.log(JSON.stringify({ value: await ${line} }))
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }))
    }`
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script], { env })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout)
}

const missing = missingSecretService()

describe.skipIf(missing !== undefined)('the keychain on a Secret Service', () => {
  let service: SecretService
  beforeAll(async () => {
    service = await startSecretService()
  })
  afterAll(async () => {
    await service[Symbol.asyncDispose]()
  })

  it('R133, R134: finds what was stored, under every name of the registry', async () => {
    expect(await storeIn(service.env, 'https://index.docker.io/v1/')).toMatchObject({ code: 0, stdout: '' })
    expect(await storeIn(service.env, 'localhost:5000')).toMatchObject({ code: 0 })
    for (const server of ['https://index.docker.io/v1/', 'docker.io', 'https://localhost:5000/v2/']) {
      const { code, stdout } = await helper(service.env, 'get', `${server}\n`)
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toEqual({ ServerURL: server, Username: 'ada', Secret: SECRET })
    }
    expect(await helper(service.env, 'get', 'localhost:5001')).toMatchObject({
      code: 1,
      stdout: 'credentials not found in native keychain\n',
      stderr: '',
    })
  })

  it('shows the entry to secret-tool, named for the registry', async () => {
    await storeIn(service.env, 'shown.example')
    const attributes = ['service', 'regctl', 'username', 'shown.example']
    const lookup = await run('secret-tool', ['lookup', ...attributes], { env: service.env })
    expect(JSON.parse(lookup.stdout)).toEqual({ Username: 'ada', Secret: SECRET })
    const search = await run('secret-tool', ['search', ...attributes], { env: service.env })
    expect(search.stdout).toMatch(/^label = .*shown\.example.*regctl/m)
    await helper(service.env, 'erase', 'shown.example')
    expect(await run('secret-tool', ['lookup', ...attributes], { env: service.env })).toMatchObject({
      code: 1,
      stdout: '',
    })
  })

  it('R219: leaves neither the secret nor its base64 in any file', async () => {
    await storeIn(service.env, 'files.example')
    const text = Buffer.from(SECRET)
    const forms = [
      text,
      ...['', 'ada:'].map(user => Buffer.from(Buffer.from(`${user}${SECRET}`).toString('base64'))),
    ]
    const files = await filesBelow(service.home)
    expect(files.some(file => file.endsWith('.keyring'))).toBe(true)
    for (const file of files) {
      const bytes = await readFile(file)
      expect(forms.filter(form => bytes.includes(form)).map(() => file)).toEqual([])
    }
  })

  it('keeps and returns a long token, and any character in a secret', async () => {
    const secret = `${'t'.repeat(20_000)}\n"\\\u0000 \u{1f511}`
    await storeIn(service.env, 'long.example', secret)
    const { stdout } = await helper(service.env, 'get', 'long.example')
    expect(JSON.parse(stdout).Secret).toBe(secret)
  })

  it('is ready for the program that opens it, and does not keep it from ending', async () => {
    await storeIn(service.env, 'a.example')
    expect(await useKeychain(service.env, "keychain.get('a.example')")).toEqual({
      value: { username: 'ada', secret: SECRET },
    })
    expect(await useKeychain(service.env, 'keychain.label')).toEqual({
      value: 'the keychain (Secret Service)',
    })
  })

  it('has 50 entries after 50 processes stored one each at once', async () => {
    await using own = await startSecretService()
    const names = Array.from({ length: 50 }, (_, index) => `r${index}.example`)
    const results = await Promise.all(names.map(name => storeIn(own.env, name)))
    expect(results.filter(({ code }) => code !== 0).map(({ stdout }) => stdout)).toEqual([])
    const { stdout } = await helper(own.env, 'list')
    expect(Object.keys(JSON.parse(stdout))).toEqual(names.toSorted())
  })
})

describe.skipIf(missing !== undefined)('a keychain that is locked', () => {
  it('is said to be locked when its prompt fails', async () => {
    await using service = await startSecretService()
    await storeIn(service.env, 'r.example')
    await service.lock()
    const line = 'the keychain (Secret Service) is locked and was not unlocked\n'
    for (const [action, input] of [
      ['get', 'r.example'],
      ['list', ''],
      ['store', '{"ServerURL":"s.example","Username":"ada","Secret":"s"}'],
    ] as const)
      expect(await helper(service.env, action, input)).toMatchObject({ code: 1, stdout: line })
  })

  it('is said to be locked when nobody answers its prompt', async () => {
    await using service = await startSecretService({ prompts: 'stands' })
    await storeIn(service.env, 'r.example')
    await service.lock()
    const found = await useKeychain(service.env, "keychain.get('r.example')", { promptLimitMs: 500 })
    expect(found).toEqual({
      code: 'keychain-locked',
      message: 'the keychain (Secret Service) is locked and nobody unlocked it within 0.5 s',
    })
    expect(service.wasPrompted()).toBe(true)
  })

  it('R219: shows the secret to nobody who lists processes', async () => {
    await using service = await startSecretService({ prompts: 'stands' })
    await service.lock()
    const stop = new AbortController()
    const storing = run(process.execPath, [HELPER, 'store'], {
      env: service.env,
      stdin: JSON.stringify({ ServerURL: 'r.example', Username: 'ada', Secret: 'canary-of-processes' }),
      interrupt: stop.signal,
    })
    while (!service.wasPrompted()) await new Promise(resolve => setTimeout(resolve, 20))
    const seen = await filesOfProcesses()
    expect(seen.some(text => text.includes('docker-credential-regctl'))).toBe(true)
    expect(seen.filter(text => text.includes('canary-of-processes'))).toEqual([])
    stop.abort()
    expect((await storing).stdout).toBe('')
  })

  it('leaves no process behind that waits for a prompt, when whoever asked is gone', async () => {
    await using service = await startSecretService({ prompts: 'stands' })
    await service.lock()
    const stop = new AbortController()
    const storing = run(process.execPath, [HELPER, 'store'], {
      env: service.env,
      stdin: JSON.stringify({ ServerURL: 'r.example', Username: 'ada', Secret: 's' }),
      interrupt: stop.signal,
    })
    const workers = async () => (await workersOf(service.env.DBUS_SESSION_BUS_ADDRESS ?? '')).length
    while (!service.wasPrompted()) await new Promise(resolve => setTimeout(resolve, 20))
    expect(await workers()).toBe(1)
    stop.abort()
    await storing
    while ((await workers()) > 0) await new Promise(resolve => setTimeout(resolve, 20))
  })
})

describe('without a keychain', () => {
  const fails = (why: string) => ({ code: 1, stdout: `there is no keychain: ${why}\n`, stderr: '' })

  it('the helper says so when no D-Bus session is named, or nobody is there', async () => {
    await using folder = await temporaryFolder()
    const env = cleanEnvironment(folder.path)
    expect(await helper(env, 'get', 'r.example')).toMatchObject(
      fails('there is no D-Bus session (DBUS_SESSION_BUS_ADDRESS is not set)'),
    )
    const nowhere = { ...env, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere/bus' }
    expect(await helper(nowhere, 'list')).toMatchObject(
      fails('the D-Bus session at unix:path=/nowhere/bus cannot be reached (ENOENT)'),
    )
  })

  it('the helper says so when something listens and says nothing', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'bus')
    const server = createServer(() => {}).listen(path)
    try {
      const env = { ...cleanEnvironment(folder.path), DBUS_SESSION_BUS_ADDRESS: `unix:path=${path}` }
      expect(await helper(env, 'get', 'r.example')).toMatchObject(
        fails(`the D-Bus session at unix:path=${path} does not answer`),
      )
    } finally {
      server.close()
    }
  })

  it('R133: the helper says what it is and how it is used', async () => {
    await using folder = await temporaryFolder()
    // As npm links a program.
    const link = join(folder.path, 'docker-credential-regctl')
    await symlink(HELPER, link)
    const env = cleanEnvironment(folder.path)
    const version = await run(link, ['version'], { env })
    expect(version).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^docker-credential-regctl \(.+\) \d+\.\d+\.\d+\n$/),
    })
    expect(await run(link, [], { env })).toMatchObject({
      code: 1,
      stdout: 'Usage: docker-credential-regctl <store|get|erase|list|version>\n',
    })
  })

  it('never takes the keyring of the kernel or a file in its place', async () => {
    await using folder = await temporaryFolder()
    const home = join(folder.path, 'home')
    await mkdir(home)
    await writeFile(join(home, 'mine'), '')
    const env = cleanEnvironment(home)
    expect((await storeIn(env, 'r.example')).code).toBe(1)
    expect(await filesBelow(home)).toEqual([join(home, 'mine')])
    expect(await readFile('/proc/keys', 'utf8').catch(() => '')).not.toContain('r.example')
  })
})

async function filesBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true })
  const paths = names.map(name => join(folder, name))
  const found = await Promise.all(paths.map(async path => ((await stat(path)).isFile() ? [path] : [])))
  return found.flat()
}

/** Processes that speak to the keychain on this bus. */
async function workersOf(bus: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const read = (file: string) => readFile(file, 'utf8').catch(() => '')
  const found = await Promise.all(
    pids.map(async pid => {
      const [command, environment] = await Promise.all([
        read(`/proc/${pid}/cmdline`),
        read(`/proc/${pid}/environ`),
      ])
      return command.includes('keychain-worker') && environment.includes(bus) ? [pid] : []
    }),
  )
  return found.flat()
}

/** The command line and the environment of every process that we may look at. */
async function filesOfProcesses(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const files = pids.flatMap(pid => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
  return await Promise.all(files.map(file => readFile(file, 'utf8').catch(() => '')))
}
