import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { missingPeer, peer, tryPeer } from '../support/peers.js'
import { regctl, regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { serve } from './serve-process.js'

describe('serve --token-auth', () => {
  let folder: TemporaryFolder
  let image: string
  let flags: string[]

  beforeAll(async () => {
    folder = await temporaryFolder()
    image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }], repoTags: ['acme/app:1.0'] }])
    const users = join(folder.path, 'htpasswd')
    await writeFile(users, `ada:${bcrypt.hashSync('secret', 4)}\n`)
    flags = ['--token-auth', '--htpasswd', users, '--anonymous', 'pull']
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it('lets users push and everybody pull', async () => {
    await using service = await serve(folder.path, ...flags)
    const reference = `${service.host}/x:1`
    const refused = await regctl('push', image, reference)
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(/^error: /m)])
    const wrong = ['-u', 'ada', '--password-stdin']
    expect((await regctlWith({ stdin: 'wrong' }, 'push', image, reference, ...wrong)).code).toBe(4)
    const pushed = await regctlWith({ stdin: 'secret' }, 'push', image, reference, ...wrong)
    expect(pushed).toMatchObject({ code: 0 })
    expect(await regctl('pull', reference, join(folder.path, 'out.tar'))).toMatchObject({ code: 0 })
    expect(service.stderr()).toMatch(/^GET \/token 200 /m)
    expect(service.stderr()).not.toContain('secret')
  })

  it('copies within the registry and deletes, with tokens that end at once', async () => {
    await using service = await serve(folder.path, ...flags, '--token-lifetime', '1')
    const home = join(folder.path, 'home')
    const as = (...parameters: string[]) =>
      regctlWith({ stdin: 'secret', home }, ...parameters, '-u', 'ada', '--password-stdin')
    expect(await as('push', image, `${service.host}/x:1`)).toMatchObject({ code: 0 })
    expect(await as('copy', `${service.host}/x:1`, `${service.host}/y:2`)).toMatchObject({ code: 0 })
    expect(service.stderr()).toMatch(/^POST \/v2\/y\/blobs\/uploads\/ 201 /m)
    expect(await as('delete', `${service.host}/y:2`, '--yes')).toMatchObject({ code: 0 })
    expect((await regctl('digest', `${service.host}/y:2`)).code).toBe(3)
  })

  it.skipIf(missingPeer('skopeo') !== undefined)('takes a login, a push and pulls from skopeo', async () => {
    await using service = await serve(folder.path, ...flags)
    const authfile = ['--authfile', join(folder.path, 'auth.json')]
    const login = ['login', '--tls-verify=false', ...authfile, '-u', 'ada']
    expect((await tryPeer('skopeo', [...login, '-p', 'wrong', service.host])).code).toBe(1)
    await peer('skopeo', [...login, '-p', 'secret', service.host])
    const copy = ['--insecure-policy', 'copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false']
    const [first, second] = [`docker://${service.host}/x:1`, `docker://${service.host}/y:1`]
    const source = `docker-archive:${image}`
    expect((await tryPeer('skopeo', [...copy, source, first])).code).toBe(1)
    await peer('skopeo', [...copy, ...authfile, source, first])
    await peer('skopeo', [...copy, ...authfile, first, second])
    await peer('skopeo', [...copy, second, `dir:${join(folder.path, 'anonymous')}`])
    await peer('skopeo', ['delete', '--tls-verify=false', ...authfile, second])
    expect((await regctl('digest', `${service.host}/y:1`)).code).toBe(3)
  })

  it.skipIf(missingPeer('crane') !== undefined)('takes a login, a push and a pull from crane', async () => {
    await using service = await serve(folder.path, ...flags)
    const env = { DOCKER_CONFIG: join(folder.path, 'crane') }
    const reference = `${service.host}/acme/app:1`
    await peer('crane', ['auth', 'login', '-u', 'ada', '-p', 'secret', service.host], { env })
    await peer('crane', ['push', '--insecure', image, reference], { env })
    await peer('crane', ['pull', '--insecure', reference, join(folder.path, 'crane.tar')])
    expect((await tryPeer('crane', ['push', '--insecure', image, `${service.host}/acme/other:1`])).code).toBe(
      1,
    )
  })

  it('speaks HTTPS, to itself too', async () => {
    await using service = await serve(folder.path, ...flags, '--tls', 'self-signed')
    const push = ['push', image, `${service.host}/x:1`, '-u', 'ada', '--password-stdin']
    expect(await regctlWith({ stdin: 'secret' }, ...push)).toMatchObject({ code: 0 })
    expect(service.stderr()).toMatch(/^GET \/token 200 /m)
  })

  it('refuses to start when nobody could get a token, and flags that do not go together', async () => {
    expect(await regctl('serve', '--token-auth')).toMatchObject({
      code: 2,
      stderr:
        'error: nobody can get a token\n' +
        'hint: Add --htpasswd FILE for users, or --anonymous pull to let everybody pull\n',
    })
    expect((await regctl('serve', '--anonymous', 'pull')).code).toBe(2)
    expect((await regctl('serve', '--token-lifetime', '10')).code).toBe(2)
  })
})
