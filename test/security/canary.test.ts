import { existsSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { BASIC_SECRET, filesWithSecrets, PASSWORD, secretsIn, USER } from './canary.js'
import { FAILURES, type HostileRegistry, startHostile } from './hostile-registry.js'

const COMMANDS = fileURLToPath(new URL('../../src/cli/commands/', import.meta.url))
const LOGIN = ['--username', USER, '--password-stdin']

let folder: TemporaryFolder
let image: string

beforeAll(async () => {
  folder = await temporaryFolder()
  image = join(folder.path, 'image.tar')
  await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }] }])
})

afterAll(() => folder[Symbol.asyncDispose]())

/** Every verb that speaks to a registry with a login, as far as there is one. */
function commandLines(host: string): string[][] {
  const lines = [
    ['push', image, `${host}/a:1`],
    ['pull', `${host}/a:1`, 'pulled.tar'],
    ['copy', `${host}/a:1`, 'oci:copied:1'],
    ['export', `${host}/a:1`, 'exported.tar'],
    ['delete', `${host}/a:1`, '--yes', '--json'],
    ['login', host],
    ['doctor', host],
  ]
  return lines.filter(([verb]) => existsSync(join(COMMANDS, `${verb}.ts`)))
}

/** Runs a command in a home of its own, and says where a secret turned up. */
async function leaksOf(
  line: readonly string[],
  options: { config?: (home: string) => Promise<string>; nodeOptions?: string } = {},
): Promise<{ leaks: string[]; code: number | null; output: string }> {
  await using home = await temporaryFolder()
  const temporary = join(home.path, 'tmp')
  await mkdir(temporary)
  await mkdir(join(home.path, '.docker'))
  const configFile = join(home.path, '.docker/config.json')
  const config = await options.config?.(home.path)
  if (config !== undefined) await writeFile(configFile, config)
  const env = {
    TMPDIR: temporary,
    PATH: `${home.path}${delimiter}${process.env.PATH}`,
    ...(options.nodeOptions !== undefined && { NODE_OPTIONS: options.nodeOptions }),
  }
  const login = config === undefined ? LOGIN : []
  const { code, stdout, stderr } = await regctlWith(
    { home: home.path, cwd: home.path, env, stdin: `${PASSWORD}\n` },
    ...line,
    '--debug',
    ...login,
  )
  const output = stdout + stderr
  const files = await filesWithSecrets(home.path, [configFile, join(home.path, 'docker-credential-test')])
  return { leaks: [...secretsIn(output).map(secret => `${secret} in: ${output}`), ...files], code, output }
}

/** What the servers saw that they should not have seen. */
function leaksAt({ elsewhere, shown }: HostileRegistry): string[] {
  const received = elsewhere.seen.map(request => JSON.stringify({ ...request, body: `${request.body}` }))
  return [...received.flatMap(text => secretsIn(text).map(secret => `${secret} in ${text}`)), ...shown()]
}

describe('R219: no secret is to be seen where a registry', () => {
  test.each(Object.entries(FAILURES))('%s', async (_name, failure) => {
    await using registry = await startHostile(failure)
    const lines = commandLines(registry.host)
    const runs = await Promise.all(lines.map(async line => ({ line, ...(await leaksOf(line)) })))
    for (const { line, leaks, output } of runs) {
      expect(leaks, line.join(' ')).toEqual([])
      expect(output, line.join(' ')).toMatch(/^debug: /m)
    }
    expect(leaksAt(registry)).toEqual([])
  })
})

test('the secrets of these tests do reach those for whom they are', async () => {
  await using registry = await startHostile({})
  await leaksOf(['copy', `${registry.host}/a:1`, 'oci:copied:1'])
  // The password to the token server, and a token to the registry.
  expect(registry.logins()).toBeGreaterThanOrEqual(2)
})

test('R219: nor where regctl itself breaks down with a request under way', async () => {
  const code = `import { Socket } from 'node:net'
const { write } = Socket.prototype
Socket.prototype.write = function (bytes, ...more) {
  if (/authorization/i.test(bytes)) setImmediate(() => { throw new Error('breakdown') })
  return write.call(this, bytes, ...more)
}`
  const nodeOptions = `--import=data:text/javascript,${encodeURIComponent(code)}`
  await using registry = await startHostile({ registry: () => () => {} })
  const {
    leaks,
    code: exit,
    output,
  } = await leaksOf(['copy', `${registry.host}/a:1`, 'oci:copied:1'], {
    nodeOptions,
  })
  expect(output).toContain('breakdown')
  expect(exit).not.toBe(0)
  expect(leaks).toEqual([])
  expect(leaksAt(registry)).toEqual([])
})

describe('R219: nor where credentials come from', () => {
  const failing = FAILURES['fails with JSON (500)'] ?? {}

  test.each([
    ['a file', (host: string) => JSON.stringify({ auths: { [host]: { auth: BASIC_SECRET } } })],
    [
      'a file with an identity token',
      (host: string) => JSON.stringify({ auths: { [host]: { identitytoken: PASSWORD } } }),
    ],
    ['a file that is broken off', (host: string) => `{"auths":{"${host}":{"auth":"${BASIC_SECRET}"`],
    ['a file that is no JSON', () => `${PASSWORD} ${BASIC_SECRET}`],
    [
      'a file with an entry that is no good',
      (host: string) =>
        JSON.stringify({ auths: { [host]: { auth: Buffer.from(PASSWORD).toString('base64') } } }),
    ],
  ])('%s', async (_what, config) => {
    await using registry = await startHostile(failing)
    const { leaks } = await leaksOf(['copy', `${registry.host}/a:1`, 'oci:copied:1'], {
      config: async () => config(registry.host),
    })
    expect(leaks).toEqual([])
    expect(leaksAt(registry)).toEqual([])
  })

  test.each([
    ['a helper', `printf '{"Username":"${USER}","Secret":"${PASSWORD}"}'`],
    [
      'a helper that fails after it wrote',
      `printf '{"Secret":"${PASSWORD}"}'; printf '${PASSWORD}' >&2; exit 1`,
    ],
    ['a helper that writes no JSON', `printf '{"Secret":"${PASSWORD}"'`],
  ])('%s', async (_what, script) => {
    await using registry = await startHostile(failing)
    const { leaks } = await leaksOf(['copy', `${registry.host}/a:1`, 'oci:copied:1'], {
      config: async home => {
        const path = join(home, 'docker-credential-test')
        // The words of the script are no process's parameters: the shell reads them from the file.
        await writeFile(path, `#!/bin/sh\n${script}\n`)
        await chmod(path, 0o755)
        return JSON.stringify({ credHelpers: { [registry.host]: 'test' } })
      },
    })
    expect(leaks).toEqual([])
    expect(leaksAt(registry)).toEqual([])
  })
})
