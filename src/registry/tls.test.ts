import { once } from 'node:events'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, makeAuthority } from '../../test/support/certificates.js'
import { clientOf, DIGEST } from '../../test/support/registry-fixtures.js'
import { answer, startScripted } from '../../test/support/scripted-server.js'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import { startTls, type TlsServer } from '../../test/support/tls-server.js'
import { missingTool } from '../../test/support/tools.js'
import { createTrust, type TrustOptions } from '../config/trust.js'
import { RegctlError } from '../errors.js'
import { explainNetworkError } from './network-error.js'

const NAME = 'registry.test'
const DAY_MS = 24 * 60 * 60 * 1000
/** Every name is this machine, and none of them is insecure. */
const lookup: LookupFunction = (_hostname, options, callback) => {
  if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }])
  else callback(null, '127.0.0.1', 4)
}

describe.skipIf(missingTool('openssl'))('TLS to a registry', () => {
  let folder: TemporaryFolder
  let authority: Authority

  beforeAll(async () => {
    folder = await temporaryFolder()
    authority = await makeAuthority(folder.path)
  })

  afterAll(async () => {
    await folder[Symbol.asyncDispose]()
  })

  const trustOf = (options: Partial<TrustOptions> = {}) =>
    createTrust({
      environment: { HOME: '/nonexistent' },
      systemFolder: '/nonexistent',
      bundles: [],
      warn: () => {},
      ...options,
    })

  /** Asks for a blob; what went wrong. */
  async function ask(
    registry: string,
    options: Parameters<typeof clientOf>[0] = {},
  ): Promise<RegctlError | undefined> {
    const { client, context } = clientOf({ trust: trustOf(), lookup, ...options })
    await using _ = client
    try {
      await client.repository(registry, 'app').statBlob(DIGEST, context)
      return undefined
    } catch (error) {
      if (error instanceof RegctlError) return error
      throw error
    }
  }

  async function serve(
    names: readonly string[] = [NAME],
    more: {
      validFrom?: Date
      validTo?: Date
      clientCaFile?: string
      answer?: Parameters<typeof startTls>[0]['answer']
    } = {},
  ): Promise<TlsServer> {
    const {
      clientCaFile,
      answer = () => ({ status: 200, headers: { 'content-length': '3' } }),
      ...dates
    } = more
    const certificate = await authority.issue({ names, ...dates })
    return await startTls({ certificate, answer, ...(clientCaFile !== undefined && { clientCaFile }) })
  }

  test('R153: an unknown authority is named, with the file that would make it known', async () => {
    await using server = await serve()
    const error = await ask(`${NAME}:${server.port}`)
    expect(error?.code).toBe('unknown-authority')
    expect(error?.message).toMatch(/failed: certificate signed by unknown authority \(CN=Test Authority\)$/)
    expect(error?.hint).toContain(`/etc/docker/certs.d/${NAME}:${server.port}/ca.crt`)
    expect(error?.hint).toContain(`~/.config/docker/certs.d/${NAME}:${server.port}/ca.crt`)
    expect(error?.hint).toContain('--ca-file FILE')
    expect(server.seen).toEqual([])
  })

  test('R153: an expired certificate is told with its date and the time here', async () => {
    await using server = await serve([NAME], {
      validFrom: new Date(Date.now() - 3 * DAY_MS),
      validTo: new Date('2024-03-01T10:00:00Z'),
    })
    const error = await ask(`${NAME}:${server.port}`, { trust: trustOf({ caFile: authority.caFile }) })
    expect(error?.code).toBe('certificate-expired')
    expect(error?.message).toMatch(/failed: the certificate has expired on 2024-03-01 10:00 UTC$/)
    expect(error?.hint).toContain(`The clock of this machine says ${new Date().toISOString().slice(0, 10)}`)
  })

  test('R153: so is one that is not yet valid', async () => {
    const validFrom = new Date(Date.now() + 3 * DAY_MS)
    await using server = await serve([NAME], { validFrom, validTo: new Date(Date.now() + 5 * DAY_MS) })
    const error = await ask(`${NAME}:${server.port}`, { trust: trustOf({ caFile: authority.caFile }) })
    expect(error?.code).toBe('certificate-not-yet-valid')
    expect(error?.message).toContain(`it is from ${validFrom.toISOString().slice(0, 10)}`)
  })

  test('R153: a certificate for another name is told with its names', async () => {
    await using server = await serve(['other.test', 'third.test'])
    const error = await ask(`${NAME}:${server.port}`, { trust: trustOf({ caFile: authority.caFile }) })
    expect(error?.code).toBe('certificate-wrong-name')
    expect(error?.message).toMatch(
      /the certificate is not for registry\.test: it is for other\.test, third\.test$/,
    )
  })

  test.each([
    ['asks for', 'ssl/tls alert certificate required'],
    ['asks for', 'sslv3 alert bad certificate'],
    ['asks for', 'sslv3 alert handshake failure'],
    ['does not accept', 'tlsv1 alert unknown ca'],
    ['does not accept', 'sslv3 alert certificate expired'],
  ])('R153: a server that %s a client certificate is understood by its alert: %s', (verb, alert) => {
    const error = new Error(
      `C0F0:error:0A00045C:SSL routines:ssl3_read_bytes:${alert}:../record/rec_layer_s3.c`,
    )
    const failure = explainNetworkError(error, new URL('https://r.example:5000'))
    expect(failure).toMatchObject({ code: 'client-certificate', retry: 'no' })
    expect(failure.text).toBe(
      `failed: the server ${verb} ${verb === 'asks for' ? 'a' : 'the'} client certificate`,
    )
    expect(failure.hint).toContain('--cert-file FILE and --key-file FILE')
    expect(failure.hint).toContain('/etc/docker/certs.d/r.example:5000/')
  })

  test('tells any other alert without what OpenSSL says around it', () => {
    const alert = 'tlsv1 alert protocol version:../deps/openssl/ssl/record/rec_layer_s3.c:1601:SSL alert 70'
    const error = new Error(`803C:error:0A00042E:SSL routines:ssl3_read_bytes:${alert}`)
    const failure = explainNetworkError(error, new URL('https://r.example:5000'))
    expect(failure).toMatchObject({ code: 'tls-refused', retry: 'no' })
    expect(failure.text).toBe('failed: the server refuses to speak TLS (protocol version)')
    expect(failure.hint).toContain('r.example:5000')
  })

  test.each([
    [
      '400 No required SSL certificate was sent',
      'client-certificate',
      'the server asks for a client certificate',
    ],
    [
      '400 The SSL certificate error',
      'client-certificate',
      'the server does not accept the client certificate',
    ],
    ['400 The plain HTTP request was sent to HTTPS port', 'https-expected', 'the server speaks HTTPS'],
    ['Client sent an HTTP request to an HTTPS server.', 'https-expected', 'and was asked in clear text'],
  ])('R153: so is the answer "%s"', async (title, code, message) => {
    const body = title.startsWith('400') ? `<html><head><title>${title}</title></head></html>` : title
    await using server = await startScripted([[/./, answer(400, {}, body)]])
    const { client, context } = clientOf()
    await using _ = client
    const asked = client.repository(server.host, 'app').getManifest('1', context)
    await expect(asked).rejects.toMatchObject({
      kind: 'network',
      code,
      message: expect.stringContaining(message),
    })
  })

  test('R161: a proxy that refuses is told from the registry', async () => {
    const proxy = createServer()
    proxy.on('connect', (_request, socket) =>
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    )
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const { port } = proxy.address() as AddressInfo
    try {
      const error = await ask(NAME, { proxyFor: () => new URL(`http://127.0.0.1:${port}`) })
      expect(error).toMatchObject({
        code: 'proxy',
        message: expect.stringContaining('the proxy answered 407'),
      })
      expect(error?.hint).toContain('HTTPS_PROXY')
    } finally {
      proxy.close()
    }
  })

  test('R150, R153: clear text at the port is understood', async () => {
    await using server = await startScripted([[/./, answer(200)]])
    const registry = `${NAME}:${server.host.split(':')[1]}`
    const error = await ask(registry)
    expect(error?.code).toBe('http-response')
    expect(error?.message).toContain('server gave HTTP response to HTTPS client')
    expect(error?.hint).toContain(`--insecure-registry ${registry}`)
    expect(server.seen).toEqual([])
  })

  test('--ca-file makes it trusted, and NODE_TLS_REJECT_UNAUTHORIZED does not (R164)', async () => {
    await using server = await serve()
    const registry = `${NAME}:${server.port}`
    expect(await ask(registry, { trust: trustOf({ caFile: authority.caFile }) })).toBeUndefined()
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      expect((await ask(registry))?.code).toBe('unknown-authority')
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    }
  })

  test.each(['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'])('R162, R163: %s makes it trusted', async variable => {
    await using server = await serve()
    const trust = trustOf({ environment: { HOME: '/nonexistent', [variable]: authority.caFile } })
    expect(await ask(`${NAME}:${server.port}`, { trust })).toBeUndefined()
  })

  test("R154: a host's certs.d folder counts for that host and port alone", async () => {
    await using server = await serve()
    await using other = await serve()
    await using home = await temporaryFolder()
    const place = join(home.path, `.config/docker/certs.d/${NAME}:${server.port}`)
    await mkdir(place, { recursive: true })
    await copyFile(authority.caFile, join(place, 'corp.crt'))
    const trust = trustOf({ environment: { HOME: home.path } })
    expect(await ask(`${NAME}:${server.port}`, { trust })).toBeUndefined()
    expect((await ask(`${NAME}:${other.port}`, { trust }))?.code).toBe('unknown-authority')
  })

  test('R155: the hint names the folder that counts, where the host has one', async () => {
    await using server = await serve()
    await using home = await temporaryFolder()
    const place = join(home.path, `.config/containers/certs.d/${NAME}:${server.port}`)
    await mkdir(place, { recursive: true })
    const error = await ask(`${NAME}:${server.port}`, {
      trust: trustOf({ environment: { HOME: home.path } }),
    })
    expect(error?.hint).toContain(`into ${place}/ca.crt, or pass it`)
  })

  test('R154, R209: a client certificate is shown to its registry, not to where that redirects', async () => {
    await using store = await serve()
    await using server = await serve([NAME], {
      clientCaFile: authority.caFile,
      answer: () => ({ status: 307, headers: { location: `https://${NAME}:${store.port}/blob` } }),
    })
    const client = await authority.issue({ names: ['ada'] })
    await using system = await temporaryFolder()
    const place = join(system.path, `docker/certs.d/${NAME}:${server.port}`)
    await mkdir(place, { recursive: true })
    await copyFile(client.certFile, join(place, 'client.cert'))
    await copyFile(client.keyFile, join(place, 'client.key'))
    for (const trust of [
      trustOf({ caFile: authority.caFile, systemFolder: system.path }),
      trustOf({ caFile: authority.caFile, ...client }),
    ]) {
      const { client: registry, context } = clientOf({ trust, lookup, allowInternalRedirects: true })
      await using _ = registry
      expect(await registry.repository(`${NAME}:${server.port}`, 'app').statBlob(DIGEST, context)).toBe(3)
    }
    expect(server.seen.map(request => request.client)).toEqual(['ada', 'ada'])
    expect(store.seen.map(request => request.client)).toEqual([undefined, undefined])
  })

  test('R233: --insecure-registry does without checking, for the named host alone', async () => {
    await using store = await serve()
    await using server = await serve([NAME], {
      answer: () => ({ status: 307, headers: { location: `https://${NAME}:${store.port}/blob` } }),
    })
    const insecureRegistries = [`${NAME}:${server.port}`]
    const error = await ask(`${NAME}:${server.port}`, { insecureRegistries, allowInternalRedirects: true })
    expect(server.seen.length).toBeGreaterThan(0)
    expect(error?.code).toBe('unknown-authority')
    expect(error?.message).toContain(`failed: at ${NAME}:${store.port}: certificate signed by`)
    expect(error?.hint).toContain(`certs.d/${NAME}:${store.port}/ca.crt`)
  })

  test('R154: half a client certificate is an error that says which half', async () => {
    await using home = await temporaryFolder()
    const place = join(home.path, `.config/containers/certs.d/${NAME}:1`)
    await mkdir(place, { recursive: true })
    await writeFile(join(place, 'client.cert'), 'x')
    const error = await ask(`${NAME}:1`, { trust: trustOf({ environment: { HOME: home.path } }) })
    expect(error?.message).toBe(`cannot use ${join(place, 'client.cert')}: there is no client.key beside it`)
    expect(() => trustOf({ certFile: 'x' })).toThrow('a client certificate is of no use without its key')
  })

  test('a file that holds no certificate is named', async () => {
    const path = join(folder.path, 'no.pem')
    await writeFile(path, 'nothing')
    const error = await ask(`${NAME}:1`, { trust: trustOf({ caFile: path }) })
    expect(error?.message).toBe(`${path} holds no usable certificate: there is none in PEM in it`)
    const absent = await ask(`${NAME}:1`, { trust: trustOf({ caFile: `${path}.gone` }) })
    expect(absent).toMatchObject({ kind: 'not-found', message: `there is no certificate file ${path}.gone` })
  })
})
