import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type DockerRegistry, REGISTRY_USER, startDockerRegistry } from '../support/docker-registry.js'
import { regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'

const LOGIN = ['--username', REGISTRY_USER.name, '--password-stdin']
const PUSH_ONE = 'repository:team/one:pull,push'
const PULL_ONE = 'repository:team/one:pull'
const PUSH_TWO = 'repository:team/two:pull,push'

describe.skipIf(missingTool('docker-registry', 'openssl'))('docker-registry with a token server', () => {
  let registry: DockerRegistry
  let folder: TemporaryFolder
  let image: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }, { b: 'b\n' }, { c: 'c\n' }] }])
    registry = await startDockerRegistry({ tokenAuth: true, deletes: true })
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** Runs a command with the right password, and says which tokens it asked for. */
  async function tokensOf(...line: string[]): Promise<readonly string[]> {
    const before = registry.tokenScopes().length
    const options = { stdin: REGISTRY_USER.password, cwd: folder.path }
    const { code, stderr } = await regctlWith(options, ...line, ...LOGIN)
    expect(stderr).not.toContain('error')
    expect(code).toBe(0)
    return registry.tokenScopes().slice(before)
  }

  test('R102, R104: a push of several blobs asks once, for both rights', async () => {
    expect(await tokensOf('push', image, `${registry.host}/team/one:1`)).toEqual([PUSH_ONE])
  })

  test('R107: a pull asks once, for the right to read', async () => {
    expect(await tokensOf('pull', `${registry.host}/team/one:1`, 'pulled.tar')).toEqual([PULL_ONE])
  })

  test('R105, R106: a copy to another repository mounts, with the one that is written to first', async () => {
    const names = ['one', 'two'].map(name => `${registry.host}/team/${name}:1`)
    const scopes = await tokensOf('copy', ...names)
    expect(scopes.at(-1)).toBe(`${PUSH_TWO} ${PULL_ONE}`)
    expect(new Set(scopes).size).toBe(scopes.length)
    expect(scopes.length).toBeLessThanOrEqual(3)
    const posts = (await registry.requests()).filter(
      ({ method, path }) => method === 'POST' && path.startsWith('/v2/team/two/'),
    )
    expect(posts.length).toBeGreaterThan(0)
    // The first may have been without a token: all others were mounts that the registry made.
    expect(posts.filter(({ status }) => status !== 401).map(({ status }) => status)).toEqual(
      posts.filter(({ status }) => status !== 401).map(() => 201),
    )
  })

  test('R120: a deletion asks for the right to delete', async () => {
    const { stdout } = await regctlWith(
      { stdin: REGISTRY_USER.password },
      'digest',
      `${registry.host}/team/two:1`,
      ...LOGIN,
    )
    const scopes = await tokensOf('delete', `${registry.host}/team/two@${stdout.trim()}`, '--yes')
    expect(scopes.some(scope => /^repository:team\/two:(?:\*|.*delete)/.test(scope))).toBe(true)
  })

  test('R101: a wrong password is told with where it came from, and asked once', async () => {
    const before = registry.tokenScopes().length
    const line = ['pull', `${registry.host}/team/one:1`, 'denied.tar', ...LOGIN]
    const { code, stderr } = await regctlWith({ stdin: 'c4nary', cwd: folder.path }, ...line)
    expect(code).toBe(4)
    expect(stderr).toContain('the login from the command line was refused')
    expect(stderr).not.toContain('c4nary')
    expect(registry.tokenScopes().slice(before)).toEqual([PULL_ONE])
  })
})
