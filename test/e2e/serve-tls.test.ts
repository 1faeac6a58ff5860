import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { get } from 'node:https'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { missingPeer, peer, tryPeer } from '../support/peers.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { serve } from './serve-process.js'

describe('serve --tls self-signed', () => {
  let folder: TemporaryFolder
  let image: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }], repoTags: ['acme/app:1.0'] }])
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it('makes a certificate in the folder for data, and says how to trust it', async () => {
    await using service = await serve(folder.path, '--tls', 'self-signed')
    const caFile = join(folder.path, '.local/share/regctl/tls/ca.pem')
    expect(service.stdout()).toBe(`Serving on https://${service.host}\n`)
    expect(service.stderr()).toContain(`The certificate is signed by ${caFile}. To trust it:\n`)
    expect(service.stderr()).toContain(`--ca-file ${caFile}\n`)
    expect(service.stderr()).toContain(`/etc/docker/certs.d/${service.host}/ca.crt`)
    expect(service.stderr()).toContain('update-ca-certificates')
    expect(await statusOf(`https://${service.host}/v2/`, caFile)).toBe(200)
    await expect(statusOf(`https://${service.host}/v2/`)).rejects.toThrow('unable to verify')
  })

  it('is trusted by what trusted it before a restart with more names', async () => {
    const tlsFolder = join(folder.path, 'tls')
    const flags = ['--tls', 'self-signed', '--tls-dir', tlsFolder, '--json']
    const first = await serve(folder.path, ...flags)
    expect(await schemaErrors('serve', first.stdout())).toEqual([])
    const { caFile } = JSON.parse(first.stdout())
    expect(caFile).toBe(join(tlsFolder, 'ca.pem'))
    const trusted = join(folder.path, 'trusted.pem')
    await copyFile(caFile, trusted)
    await first[Symbol.asyncDispose]()
    await using second = await serve(folder.path, ...flags, '--tls-name', 'registry.example.com', '--quiet')
    const servername = 'registry.example.com'
    expect(await statusOf(`https://${second.host}/v2/`, trusted, servername)).toBe(200)
    expect(second.stderr()).toBe('')
  })

  it('takes images from regctl', async () => {
    await using service = await serve(folder.path, '--tls', 'self-signed')
    expect(await regctl('push', image, `${service.host}/x`)).toMatchObject({ code: 0 })
  })

  it.skipIf(missingPeer('skopeo') !== undefined)(
    'takes images from skopeo, which checks the certificate',
    async () => {
      await using service = await serve(folder.path, '--tls', 'self-signed')
      const certificates = join(folder.path, 'certs.d')
      await mkdir(certificates)
      await copyFile(join(folder.path, '.local/share/regctl/tls/ca.pem'), join(certificates, 'ca.crt'))
      const copy = ['--insecure-policy', 'copy', '-q', `docker-archive:${image}`]
      const port = service.host.split(':')[1]
      for (const host of [service.host, `localhost:${port}`]) {
        const target = `docker://${host}/x:1`
        await peer('skopeo', [...copy, '--dest-cert-dir', certificates, target])
        const refused = await tryPeer('skopeo', [...copy, target])
        expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('x509')])
      }
    },
  )

  it('refuses a name that is none, and flags that do not go together', async () => {
    const named = await regctl('serve', '--tls', 'self-signed', '--tls-name', 'a:5000')
    expect(named).toMatchObject({
      code: 2,
      stderr:
        'error: "a:5000" is no name of a server\nhint: Write a DNS name or an IP address, without a port\n',
    })
    const unusable = await regctl('serve', '--tls-cert', image, '--tls-key', image)
    expect(unusable.code).toBe(2)
    expect(unusable.stderr).toContain(`error: can't use the certificate ${image} with the key ${image}: `)
    expect((await regctl('serve', '--tls-name', 'a')).code).toBe(2)
    expect((await regctl('serve', '--tls', 'self-signed', '--tls-cert', 'a', '--tls-key', 'b')).code).toBe(2)
  })
})

/** The status of an answer, from a client that trusts this authority, or those that everybody trusts. */
async function statusOf(url: string, caFile?: string, servername?: string): Promise<number | undefined> {
  const trust = caFile === undefined ? {} : { ca: await readFile(caFile) }
  const options = { agent: false, ...trust, ...(servername !== undefined && { servername }) }
  return await new Promise((resolve, reject) => {
    const request = get(url, options, response => {
      response.resume()
      response.once('end', () => resolve(response.statusCode))
    })
    request.once('error', reject)
  })
}
