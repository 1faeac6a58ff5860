import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Htpasswd } from '../../src/server/htpasswd.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { regctl, regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const PASSWORD = 'correct horse: battery'
const WRONG = 'wrong staple'

describe('push to a registry with passwords', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  let image: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }] }])
    const file = join(folder.path, 'htpasswd')
    await writeFile(file, `ada:${bcrypt.hashSync(PASSWORD, 4)}\n`)
    registry = await startRegistry({ htpasswd: await Htpasswd.load(file) })
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  const configWith = (password: string) =>
    JSON.stringify({
      auths: { [registry.host]: { auth: Buffer.from(`ada:${password}`).toString('base64') } },
    })

  it('is refused without one, with a hint', async () => {
    const { code, stderr } = await regctl('push', image, `${registry.host}/none`)
    expect(code).toBe(4)
    expect(stderr).toMatch(/^error: .*\nhint: /)
  })

  it('is refused with a wrong one, which is not shown, and nothing is pushed', async () => {
    const flags = ['--username', 'ada', '--password-stdin', '--debug']
    const { code, stdout, stderr } = await regctlWith(
      { stdin: `${WRONG}\n` },
      'push',
      image,
      `${registry.host}/wrong`,
      ...flags,
    )
    expect(code).toBe(4)
    expect(stderr).toMatch(/^error: /m)
    const secrets = [WRONG, Buffer.from(`ada:${WRONG}`).toString('base64')]
    for (const secret of secrets) expect(stdout + stderr).not.toContain(secret)
    const login = ['--username', 'ada', '--password-stdin']
    const tags = await regctlWith({ stdin: PASSWORD }, 'tags', `${registry.host}/wrong`, ...login)
    expect(tags.stderr).toContain('there is no repository wrong')
  })

  it('works with the right one at standard input', async () => {
    const flags = ['--username', 'ada', '--password-stdin']
    const { code } = await regctlWith(
      { stdin: `${PASSWORD}\n` },
      'push',
      image,
      `${registry.host}/flags`,
      ...flags,
    )
    expect(code).toBe(0)
  })

  it('works with DOCKER_AUTH_CONFIG, which goes before a file with a wrong one', async () => {
    await using home = await temporaryFolder()
    await mkdir(join(home.path, '.docker'))
    await writeFile(join(home.path, '.docker/config.json'), configWith(WRONG))
    const env = { DOCKER_AUTH_CONFIG: configWith(PASSWORD) }
    const reference = `${registry.host}/variable`
    const { code, stdout, stderr } = await regctlWith(
      { home: home.path, env },
      'push',
      image,
      reference,
      '--debug',
    )
    expect(code).toBe(0)
    expect(stdout + stderr).not.toContain(Buffer.from(`ada:${PASSWORD}`).toString('base64'))
    expect((await regctlWith({ home: home.path }, 'push', image, reference)).code).toBe(4)
  })

  it("works with ~/.docker/config.json, and with Docker's variable for another place", async () => {
    await using home = await temporaryFolder()
    const own = join(home.path, '.docker')
    const other = join(home.path, 'other')
    for (const [place, password] of [
      [own, WRONG],
      [other, PASSWORD],
    ] as const) {
      await mkdir(place)
      await writeFile(join(place, 'config.json'), configWith(password))
    }
    const reference = `${registry.host}/file`
    const env = { DOCKER_CONFIG: other }
    expect((await regctlWith({ home: home.path, env }, 'push', image, reference)).code).toBe(0)
    await writeFile(join(own, 'config.json'), configWith(PASSWORD))
    expect((await regctlWith({ home: home.path }, 'push', image, reference)).code).toBe(0)
  })
})
