import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { startDockerEngine } from '../support/docker-engine.js'
import { regctl } from '../support/run.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { missingDockerEngine } from '../support/tools.js'
import { serve } from './serve-process.js'

const TIMEOUT_MS = 120_000

it.skipIf(missingDockerEngine() !== undefined).each([
  ['a password', []],
  ['tokens', ['--token-auth', '--anonymous', 'pull']],
  ['tokens over HTTPS', ['--token-auth', '--anonymous', 'pull', '--tls', 'self-signed']],
])(
  'serve takes a login, a push and a pull from Docker by %s',
  async (_how, flags) => {
    await using folder = await temporaryFolder()
    const image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }], repoTags: ['acme/app:1.0'] }])
    const users = join(folder.path, 'htpasswd')
    await writeFile(users, `ada:${bcrypt.hashSync('secret', 4)}\n`)
    await using service = await serve(folder.path, '--htpasswd', users, ...flags)
    await using engine = await startDockerEngine()
    const reference = `${service.host}/acme/app:1.0`
    const succeed = async (...parameters: string[]) =>
      expect(await engine.docker(...parameters), parameters[0]).toMatchObject({ code: 0 })

    await succeed('load', '-i', image)
    await succeed('tag', 'acme/app:1.0', reference)
    expect((await engine.docker('push', reference)).code).toBe(1)
    await succeed('login', '-u', 'ada', '-p', 'secret', service.host)
    await succeed('push', reference)
    // To another repository: Docker takes it over from the first.
    await succeed('tag', reference, `${service.host}/acme/other:1.0`)
    await succeed('push', `${service.host}/acme/other:1.0`)
    if (flags.length > 0) {
      await succeed('logout', service.host)
      expect(await regctl('digest', reference)).toMatchObject({ code: 0 })
    }
    await succeed('rmi', '-f', reference, `${service.host}/acme/other:1.0`, 'acme/app:1.0')
    await succeed('pull', reference)
  },
  TIMEOUT_MS,
)
