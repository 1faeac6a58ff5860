import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { buildImage, writeLayout } from '../support/image-builder.js'
import { cleanEnvironment, regctl, regctlWith, run } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { serve as startServe } from './serve-process.js'

describe('serve', () => {
  let folder: TemporaryFolder
  let image: string
  let layout: string
  let layoutDigest: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    image = join(folder.path, 'image.tar')
    layout = join(folder.path, 'layout')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }], repoTags: ['acme/app:1.0'] }])
    const built = await buildImage()
    await writeLayout(layout, [{ manifest: built.manifest, tag: '2.0' }], built.blobs)
    layoutDigest = built.manifest.descriptor.digest
  })

  afterAll(() => folder[Symbol.asyncDispose]())

  const serve = (...parameters: string[]) => startServe(folder.path, ...parameters)

  it('takes pushes into memory, logs requests, and ends well by SIGTERM', async () => {
    const service = await serve()
    expect(service.stdout()).toMatch(/^Serving on http:\/\/127\.0\.0\.1:\d+\n/)
    expect((await regctl('push', image, `${service.host}/x`)).code).toBe(0)
    expect(service.stderr()).toMatch(/^PUT \/v2\/x\/manifests\/latest 201/m)
    await service[Symbol.asyncDispose]()
    expect([service.process.exitCode, service.process.signalCode]).not.toContain('SIGKILL')
  })

  it('keeps what is in --data over a restart', async () => {
    const data = join(folder.path, 'data')
    const first = await serve('--data', data)
    expect((await regctl('push', image, `${first.host}/team/x:1`)).code).toBe(0)
    const { stdout: digest } = await regctl('digest', `${first.host}/team/x:1`)
    await first[Symbol.asyncDispose]()
    await using second = await serve('--data', data, '--read-only')
    expect((await regctl('digest', `${second.host}/team/x:1`)).stdout).toBe(digest)
    const refused = await regctl('push', image, `${second.host}/team/x:2`)
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toMatch(/^error: /m)
    expect((await regctl('tags', `${second.host}/team/x`)).stdout).toBe('1\n')
  })

  it('asks for a password with --htpasswd', async () => {
    const file = join(folder.path, 'htpasswd')
    await writeFile(file, `ada:${bcrypt.hashSync('secret', 4)}\n`)
    await using service = await serve('--htpasswd', file, '--quiet')
    const parameters = ['push', image, `${service.host}/x`]
    expect((await regctl(...parameters)).code).toBe(4)
    const login = ['-u', 'ada', '--password-stdin']
    expect((await regctlWith({ stdin: 'secret' }, ...parameters, ...login)).code).toBe(0)
    expect(service.stderr()).toBe('')
  })

  it('prints its address as JSON', async () => {
    await using service = await serve('--json')
    const endOfPatience = Date.now() + 10_000
    while (!service.stdout().includes('}') && Date.now() < endOfPatience)
      await new Promise(resolve => setTimeout(resolve, 20))
    expect(JSON.parse(service.stdout())).toMatchObject({ address: service.host, tls: false })
  })

  it.each(['image.tar', 'layout'])('shows %s, read-only', async name => {
    const path = join(folder.path, name)
    await using service = await serve(path)
    const [reference, digest] =
      name === 'layout'
        ? [`${service.host}/layout:2.0`, layoutDigest]
        : [`${service.host}/acme/app:1.0`, (await regctl('digest', path)).stdout.trim()]
    expect((await regctl('digest', reference)).stdout).toBe(`${digest}\n`)
    const out = join(folder.path, `out-${name.replace('.', '-')}`)
    expect((await regctl('pull', reference, out)).code).toBe(0)
    expect((await regctl('push', image, `${service.host}/x`)).code).not.toBe(0)
  })

  it.skipIf(missingTool('skopeo') !== undefined)('shows an image to skopeo', async () => {
    await using service = await serve(image)
    const copied = await run(
      'skopeo',
      // biome-ignore format: one option and its value belong on one line
      ['--insecure-policy', 'copy', '--src-tls-verify=false', '-q',
        `docker://${service.host}/acme/app:1.0`, `dir:${join(folder.path, 'skopeo')}`],
      { env: cleanEnvironment(folder.path) },
    )
    expect(copied).toMatchObject({ code: 0 })
  })

  it('says in one line that a port is taken, and what is wrong with an address', async () => {
    await using service = await serve()
    const taken = await regctl('serve', '--address', service.host)
    expect(taken.code).toBe(1)
    expect(taken.stderr).toMatch(/^error: .*(?:in use|EADDRINUSE).*\n/)
    expect(taken.stderr).not.toContain('\n    at ')
    const wrong = await regctl('serve', '--address', 'nowhere')
    expect(wrong).toMatchObject({
      code: 2,
      stderr: 'error: "nowhere" is not an address\nhint: Write HOST:PORT, as in 127.0.0.1:5000\n',
    })
    expect((await regctl('serve', join(folder.path, 'missing.tar'))).code).toBe(3)
  })

  it.skipIf(missingTool('openssl') !== undefined)('speaks HTTPS', async () => {
    const [key, cert] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')]
    const made = await run(
      'openssl',
      // biome-ignore format: one option and its value belong on one line
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
        '-keyout', key, '-out', cert],
    )
    expect(made.code).toBe(0)
    await using service = await serve('--tls-cert', cert, '--tls-key', key)
    expect(service.stdout()).toMatch(/^Serving on https:\/\//)
    // The loopback is not verified by default, and naming it changes nothing.
    expect((await regctl('push', image, `${service.host}/x`)).code).toBe(0)
    const named = ['--insecure-registry', service.host]
    expect((await regctl('push', image, `${service.host}/x`, ...named)).code).toBe(0)
    await expect(fetch(`http://${service.host}/v2/`)).rejects.toThrow('fetch failed')
    const half = await regctl('serve', '--tls-cert', cert)
    expect(half.code).toBe(2)
  })
})
