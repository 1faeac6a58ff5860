import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import { readDockerSettings } from './docker-settings.js'

describe('R159: settings of registries', () => {
  let home: TemporaryFolder
  let warnings: string[]

  beforeEach(async () => {
    home = await temporaryFolder()
    warnings = []
  })
  afterEach(() => home[Symbol.asyncDispose]())

  const write = async (path: string, content: object | string) => {
    await mkdir(dirname(join(home.path, path)), { recursive: true })
    await writeFile(join(home.path, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  const read = (environment: NodeJS.ProcessEnv = { HOME: home.path }) =>
    readDockerSettings({ environment, systemFolder: join(home.path, 'etc') }, line => warnings.push(line))

  test('nothing is said where there are no files', async () => {
    expect(await read()).toEqual({ insecureRegistries: [], hubMirrors: [] })
    expect(warnings).toEqual([])
  })

  test("come from our own file, a rootless Docker's and the system's, in that order", async () => {
    await write('.config/regctl/config.json', { 'insecure-registries': ['a.example'] })
    await write('.config/docker/daemon.json', {
      'insecure-registries': ['10.0.0.0/8'],
      'registry-mirrors': ['https://user.example/'],
    })
    await write('etc/docker/daemon.json', {
      'insecure-registries': ['a.example', 'b.example:5000'],
      'registry-mirrors': ['http://system.example:5000'],
    })
    const { insecureRegistries, hubMirrors } = await read()
    expect(insecureRegistries).toEqual(['a.example', '10.0.0.0/8', 'b.example:5000'])
    expect(hubMirrors.map(({ host, isClearText }) => [host, isClearText])).toEqual([
      ['user.example', false],
      ['system.example:5000', true],
    ])
    expect(warnings).toEqual([])
  })

  test('are found by XDG_CONFIG_HOME', async () => {
    await write('other/regctl/config.json', { 'insecure-registries': ['a.example'] })
    const { insecureRegistries } = await read({ HOME: home.path, XDG_CONFIG_HOME: join(home.path, 'other') })
    expect(insecureRegistries).toEqual(['a.example'])
  })

  test("a mistake in Docker's file is a warning, and the rest counts", async () => {
    await write('.config/docker/daemon.json', '{')
    await write('etc/docker/daemon.json', {
      'insecure-registries': ['http://a.example', 'b/c'],
      'registry-mirrors': [
        'ftp://m',
        'https://ada:canary@m.example',
        'https://m.example/path',
        'https://ok.example',
      ],
    })
    const { insecureRegistries, hubMirrors } = await read()
    expect(insecureRegistries).toEqual(['http://a.example'])
    expect(hubMirrors.map(mirror => mirror.host)).toEqual(['ok.example'])
    expect(warnings).toHaveLength(6)
    expect(warnings[0]).toMatch(/docker\/daemon\.json is left out in part: it is not JSON|left out in part/)
    expect(warnings.join('\n')).not.toContain('canary')
  })

  test('a mistake in our own file is an error that names it', async () => {
    await write('.config/regctl/config.json', { 'insecure-registries': 'a.example' })
    const path = join(home.path, '.config/regctl/config.json')
    await expect(read()).rejects.toThrow(`cannot use ${path}: insecure-registries is no list of strings`)
    await write('.config/regctl/config.json', 'insecure')
    await expect(read()).rejects.toMatchObject({ kind: 'usage', code: 'bad-settings' })
  })
})
