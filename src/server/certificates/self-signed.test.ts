import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type TemporaryFolder, temporaryFolder } from '../../../test/support/temporary-folder.js'
import { missingTool } from '../../../test/support/tools.js'
import { openSelfSignedTls, type SelfSignedTls } from './self-signed.js'
import { serverNames } from './server-names.js'

const DAY_MS = 24 * 60 * 60 * 1000

describe('a server that makes its own certificate', () => {
  let home: TemporaryFolder
  let folder: string
  beforeEach(async () => {
    home = await temporaryFolder()
    folder = join(home.path, 'deep', 'tls')
  })
  afterEach(() => home[Symbol.asyncDispose]())

  const open = (names: string[] = [], now?: Date) =>
    openSelfSignedTls(folder, serverNames('127.0.0.1', names), now)
  const later = (days: number) => new Date(Date.now() + days * DAY_MS)
  const serialOf = (tls: SelfSignedTls) => new X509Certificate(tls.cert).serialNumber
  const authority = async () => await readFile(join(folder, 'ca.pem'), 'utf8')

  it('has every name that it was given, in a certificate for servers alone', async () => {
    const tls = await open(['Registry.Example.com', '*.dev.example.com', 'bücher.example', '2001:DB8::0:1'])
    const certificate = new X509Certificate(tls.cert)
    for (const name of ['localhost', 'registry.example.com', 'a.dev.example.com', 'xn--bcher-kva.example'])
      expect([name, certificate.checkHost(name)]).not.toEqual([name, undefined])
    for (const address of ['127.0.0.1', '::1', '2001:db8::1'])
      expect([address, certificate.checkIP(address)]).not.toEqual([address, undefined])
    expect(certificate.checkHost('example.com')).toBeUndefined()
    expect(certificate.ca).toBe(false)
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    const days = (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / DAY_MS
    expect(days).toBe(397)
  })

  it.skipIf(missingTool('openssl') !== undefined)('is accepted by openssl at its strictest', async () => {
    await open(['registry.example.com'])
    const [ca, server] = [join(folder, 'ca.pem'), join(folder, 'server.pem')]
    const verify = (...more: string[]) =>
      promisify(execFile)('openssl', ['verify', '-x509_strict', '-CAfile', ca, ...more, server])
    const asServer = ['-purpose', 'sslserver']
    expect((await verify(...asServer, '-verify_hostname', 'registry.example.com')).stdout).toMatch(/: OK\n$/)
    expect((await verify(...asServer, '-verify_ip', '::1')).stdout).toMatch(/: OK\n$/)
    await expect(verify(...asServer, '-verify_hostname', 'other.example.com')).rejects.toThrow(
      /hostname mismatch/i,
    )
    await expect(verify('-purpose', 'sslclient')).rejects.toThrow('purpose')
    const { stdout } = await promisify(execFile)('openssl', ['x509', '-in', ca, '-noout', '-text'])
    expect(stdout).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0\s/)
    expect(stdout).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\s/)
  })

  it('is private: a folder for its owner, and keys too', async () => {
    await open()
    const modeOf = async (path: string) => (await stat(path)).mode & 0o777
    expect(await modeOf(folder)).toBe(0o700)
    expect(await modeOf(join(folder, 'ca-key.pem'))).toBe(0o600)
    expect(await modeOf(join(folder, 'server.pem'))).toBe(0o600)
    expect((await readdir(folder)).toSorted()).toEqual(['ca-key.pem', 'ca.pem', 'server.pem'])
  })

  it('stays the same while it is good', async () => {
    const first = await open(['a.example.com', 'b.example.com'])
    expect(await open(['b.example.com'], later(366))).toEqual(first)
  })

  it.each([
    ['it runs out within 30 days', ['a.example.com'], 368],
    ['a name is missing', ['a.example.com', 'b.example.com'], 0],
    ['an address is missing', ['a.example.com', '192.0.2.1'], 0],
  ] as const)('is made anew, by the same authority, when %s', async (_when, names, days) => {
    const first = await open(['a.example.com'])
    const trusted = await authority()
    const second = await open([...names], later(days))
    expect(serialOf(second)).not.toBe(serialOf(first))
    expect(await authority()).toBe(trusted)
    expect(new X509Certificate(second.cert).verify(new X509Certificate(trusted).publicKey)).toBe(true)
  })

  it.each(['nothing of use', ''])('is made anew when its file holds "%s"', async text => {
    const first = await open()
    await writeFile(join(folder, 'server.pem'), text)
    expect(serialOf(await open())).not.toBe(serialOf(first))
  })

  it('keeps the key of an authority that runs out, and never outlives it', async () => {
    await open()
    const old = new X509Certificate(await authority())
    const near = new X509Certificate((await open([], later(3600))).cert)
    expect(near.validTo).toBe(old.validTo)
    const last = new X509Certificate((await open([], later(3640))).cert)
    const renewed = new X509Certificate(await authority())
    expect(renewed.serialNumber).not.toBe(old.serialNumber)
    expect(renewed.publicKey.equals(old.publicKey)).toBe(true)
    expect(last.checkIssued(renewed) && last.verify(renewed.publicKey)).toBe(true)
  })

  it('is signed by one authority when many servers start at once', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, (_, number) => open([`s${number}.example.com`])))
    const { publicKey } = new X509Certificate(await authority())
    for (const [number, { cert }] of all.entries()) {
      const certificate = new X509Certificate(cert)
      expect(certificate.verify(publicKey)).toBe(true)
      expect(certificate.checkHost(`s${number}.example.com`)).toBe(`s${number}.example.com`)
    }
    expect((await readdir(folder)).toSorted()).toEqual(['ca-key.pem', 'ca.pem', 'server.pem'])
  })

  it('makes an authority that can be used when its key was removed', async () => {
    await open()
    await rm(join(folder, 'ca-key.pem'))
    const { cert } = await open()
    expect(new X509Certificate(cert).verify(new X509Certificate(await authority()).publicKey)).toBe(true)
  })

  it('refuses a key that others may read, a folder that others may write to, and a key that is none', async () => {
    await open()
    const key = join(folder, 'ca-key.pem')
    await chmod(key, 0o644)
    await expect(open()).rejects.toMatchObject({
      code: 'unsafe-key',
      message: `others may read the key ${key}`,
      hint: expect.stringContaining(`chmod 600 ${key}`),
    })
    await chmod(key, 0o600)
    await writeFile(key, 'nothing of use')
    await expect(open()).rejects.toMatchObject({ code: 'bad-key', kind: 'corrupt' })
    folder = join(home.path, 'open')
    await mkdir(folder)
    await chmod(folder, 0o777)
    await expect(open()).rejects.toMatchObject({
      code: 'unsafe-folder',
      message: `others may write to the certificates' folder ${folder}`,
    })
  })
})
