import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type Authority, type IssuedCertificate, makeAuthority, ownAddress } from '../support/certificates.js'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { type RunResult, regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'

const address = ownAddress() ?? ''
const DAY_MS = 24 * 60 * 60 * 1000

describe.skipIf(missingTool('docker-registry', 'openssl') ?? address === '')(
  'docker-registry with TLS',
  () => {
    let folder: TemporaryFolder
    let authority: Authority
    let certificate: IssuedCertificate
    let registry: DockerRegistry
    let image: string

    beforeAll(async () => {
      folder = await temporaryFolder()
      authority = await makeAuthority(folder.path)
      certificate = await authority.issue({ names: [address] })
      registry = await startDockerRegistry({ address, tls: certificate })
      image = join(folder.path, 'image.tar')
      await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }], repoTags: ['app:1'] }])
    })

    afterAll(async () => {
      await registry[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    })

    const push = (host: string, ...flags: string[]) =>
      regctlWith({}, 'push', image, `${host}/app:1`, '--quiet', ...flags)
    const expectRefusal = ({ code, stderr }: RunResult, message: string, hint: string) => {
      expect(stderr).toContain(message)
      expect(stderr.split('\n')[1]).toContain(`hint: ${hint}`)
      expect(code).toBe(5)
    }

    it('is not trusted before it is made known, and is then', async () => {
      const { host } = registry
      expectRefusal(
        await push(host),
        'failed: certificate signed by unknown authority (CN=Test Authority)',
        `Put the certificate of its authority into /etc/docker/certs.d/${host}/ca.crt`,
      )
      const trusted = await push(host, '--ca-file', authority.caFile)
      expect(trusted.stderr).toBe('')
      expect(trusted.code).toBe(0)
      const variable = { SSL_CERT_FILE: authority.caFile }
      expect((await regctlWith({ env: variable }, 'digest', `${host}/app:1`)).code).toBe(0)
      await using home = await temporaryFolder()
      await mkdir(join(home.path, `.config/docker/certs.d/${host}`), { recursive: true })
      await copyFile(authority.caFile, join(home.path, `.config/docker/certs.d/${host}/ca.crt`))
      expect((await regctlWith({ home: home.path }, 'digest', `${host}/app:1`)).code).toBe(0)
    })

    it('is taken as it is where it is insecure, by flag, range and settings', async () => {
      const { host } = registry
      expect((await push(host, '--insecure-registry', host)).code).toBe(0)
      expect((await push(host, '--insecure-registry', `${address}/32`)).code).toBe(0)
      expect((await push(host, '--insecure-registry', `${address}:1`)).code).toBe(5)
      for (const file of ['.config/regctl/config.json', '.config/docker/daemon.json']) {
        await using home = await temporaryFolder()
        const path = join(home.path, file)
        await mkdir(join(path, '..'), { recursive: true })
        await writeFile(path, JSON.stringify({ 'insecure-registries': [host] }))
        const { code, stderr } = await regctlWith({ home: home.path }, 'tags', `${host}/app`)
        expect(stderr).toBe('')
        expect(code).toBe(0)
      }
    })

    it('is told from one that is expired, has another name, or speaks clear text', async () => {
      const old = { validFrom: new Date('2024-01-01T00:00:00Z'), validTo: new Date('2024-02-01T00:00:00Z') }
      await using expired = await startDockerRegistry({
        address,
        tls: await authority.issue({ names: [address], ...old }),
      })
      await using other = await startDockerRegistry({
        address,
        tls: await authority.issue({ names: ['r.example'] }),
      })
      await using plain = await startDockerRegistry({ address })
      const trust = ['--ca-file', authority.caFile]
      expectRefusal(
        await push(expired.host, ...trust),
        'failed: the certificate has expired on 2024-02-01 00:00 UTC',
        `The clock of this machine says ${new Date().toISOString().slice(0, 10)}`,
      )
      expectRefusal(
        await push(other.host, ...trust),
        `failed: the certificate is not for ${address}: it is for r.example`,
        'Name the registry by a name that its certificate has',
      )
      expectRefusal(
        await push(plain.host, ...trust),
        'failed: server gave HTTP response to HTTPS client',
        `Pass --insecure-registry ${plain.host}`,
      )
      expect((await push(plain.host, '--insecure-registry', address)).code).toBe(0)
    })

    it('is not spoken to before its certificate is valid', async () => {
      const dates = { validFrom: new Date(Date.now() + DAY_MS), validTo: new Date(Date.now() + 2 * DAY_MS) }
      await using early = await startDockerRegistry({
        address,
        tls: await authority.issue({ names: [address], ...dates }),
      })
      expectRefusal(
        await push(early.host, '--ca-file', authority.caFile),
        `failed: the certificate is not yet valid: it is from ${dates.validFrom.toISOString().slice(0, 10)}`,
        'The clock of this machine says',
      )
    })

    it('is shown a client certificate where it wants one', async () => {
      await using strict = await startDockerRegistry({
        address,
        tls: { ...certificate, clientCaFile: authority.caFile },
      })
      const { host } = strict
      const trust = ['--ca-file', authority.caFile]
      const hint = 'Pass --cert-file FILE and --key-file FILE'
      expectRefusal(await push(host, ...trust), 'failed: the server asks for a client certificate', hint)
      expectRefusal(
        await push(host, '--insecure-registry', host),
        'failed: the server asks for a client certificate',
        hint,
      )
      const { certFile, keyFile } = await authority.issue({ names: ['ada'] })
      const shown = await push(host, ...trust, '--cert-file', certFile, '--key-file', keyFile)
      expect(shown.stderr).toBe('')
      expect(shown.code).toBe(0)
      await using other = await temporaryFolder()
      const stranger = await (await makeAuthority(other.path, 'Another')).issue({ names: ['eve'] })
      const refused = await push(
        host,
        ...trust,
        '--cert-file',
        stranger.certFile,
        '--key-file',
        stranger.keyFile,
      )
      expect(refused.stderr).toMatch(/client certificate/)
      expect(refused.code).toBe(5)
      await using home = await temporaryFolder()
      const place = join(home.path, `.config/containers/certs.d/${host}`)
      await mkdir(place, { recursive: true })
      await copyFile(authority.caFile, join(place, 'ca.crt'))
      await copyFile(certFile, join(place, 'client.cert'))
      await copyFile(keyFile, join(place, 'client.key'))
      expect((await regctlWith({ home: home.path }, 'digest', `${host}/app:1`)).code).toBe(0)
    })
  },
)
