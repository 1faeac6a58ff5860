import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import bcrypt from 'bcryptjs'
import { afterEach, describe, expect, test } from 'vitest'
import { Htpasswd } from '../../src/server/htpasswd.js'
import { createRegistryServer } from '../../src/server/server.js'
import { indexOf, noise } from '../contract/store-fixtures.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { KINDS, type RunningRegistry, startRegistry } from './collections.js'
import { pushImage } from './images.js'
import { errorCodeOf, RawClient } from './raw-client.js'

let registry: RunningRegistry | undefined
const start = async (options: Parameters<typeof startRegistry>[1]): Promise<RawClient> => {
  registry = await startRegistry(undefined, options)
  return registry.client
}
afterEach(async () => {
  await registry?.stop()
  registry = undefined
})

const basic = (user: string, password: string) => ({
  Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

describe('authentication', () => {
  const passwords = Htpasswd.parse(`ann:${bcrypt.hashSync('pass:wörd', 4)}\n`, 'the test')

  test('asks everybody for name and password, for every path', async () => {
    const client = await start({ htpasswd: passwords })
    for (const [method, path] of [
      ['GET', '/v2/'],
      ['HEAD', '/v2/a/manifests/b'],
      ['POST', '/v2/a/blobs/uploads/'],
      ['GET', '/elsewhere'],
    ] as const) {
      const answer = await client.send(method, path)
      expect(answer.status).toBe(401)
      expect(answer.headers['www-authenticate']).toBe('Basic realm="regctl", charset="UTF-8"')
      if (method !== 'HEAD') expect(errorCodeOf(answer)).toBe('UNAUTHORIZED')
    }
  })

  test('lets those in who know the password', async () => {
    const client = await start({ htpasswd: passwords })
    expect((await client.send('GET', '/v2/', { headers: basic('ann', 'pass:wörd') })).status).toBe(200)
  })

  test.each([
    ['a wrong password', basic('ann', 'wrong')],
    ['an unknown user', basic('bob', 'pass:wörd')],
    ['another scheme', { Authorization: 'Bearer abc' }],
    ['no colon', { Authorization: `Basic ${Buffer.from('ann').toString('base64')}` }],
    ['no base64', { Authorization: 'Basic %%%' }],
  ])('refuses %s', async (_word, headers) => {
    const client = await start({ htpasswd: passwords })
    expect((await client.send('GET', '/v2/', { headers })).status).toBe(401)
  })

  test('does not write passwords, tokens or queries into the log', async () => {
    const lines: string[] = []
    const client = await start({ htpasswd: passwords, log: line => lines.push(line) })
    await client.send('GET', '/v2/?secret=canary', { headers: basic('ann', 'canary') })
    expect(lines).toEqual([expect.stringMatching(/^GET \/v2\/ 401 \d+ms$/)])
  })
})

test.skipIf(missingTool('openssl') !== undefined)(
  'speaks TLS with the certificate that it is given',
  async () => {
    await using folder = await temporaryFolder()
    const [key, cert] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
    const kind = [
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '1',
    ]
    await promisify(execFile)('openssl', ['req', ...kind, ...subject, '-keyout', key, '-out', cert])
    const client = await start({ tls: { cert: await readFile(cert), key: await readFile(key) } })
    const image = await pushImage(client, 'team/tls', 'tls')
    expect((await client.putManifest('team/tls', 'latest', image)).status).toBe(201)
    expect((await client.send('GET', '/v2/team/tls/manifests/latest')).body.equals(image.bytes)).toBe(true)
  },
)

test('refuses every write when it is read-only', async () => {
  const client = await start({ readOnly: true })
  const digest = indexOf([]).descriptor.digest
  for (const [method, path] of [
    ['POST', '/v2/a/blobs/uploads/'],
    ['PATCH', '/v2/a/blobs/uploads/x'],
    ['PUT', '/v2/a/manifests/latest'],
    ['DELETE', '/v2/a/manifests/latest'],
    ['DELETE', `/v2/a/blobs/${digest}`],
  ] as const) {
    const answer = await client.send(method, path, { body: noise(10, 'write') })
    expect([answer.status, errorCodeOf(answer)]).toEqual([405, 'UNSUPPORTED'])
  }
  expect((await client.send('GET', '/v2/')).status).toBe(200)
})

describe.each(KINDS)('paths over $name', kind => {
  test('refuses names that lead elsewhere, and touches nothing', async () => {
    registry = await startRegistry(kind)
    const { client } = registry
    const names = [
      '..',
      'a/../b',
      '%2e%2e/b',
      'a/%2e%2e%2fb',
      'A',
      'a//b',
      'a%00b',
      'a%5cb',
      '.a',
      'a/_layout',
      'ä',
    ]
    for (const name of names) {
      const encoded = encodeURI(name).replaceAll('%25', '%')
      for (const [method, path] of [
        ['GET', 'tags/list'],
        ['POST', 'blobs/uploads/'],
        ['PUT', 'manifests/latest'],
        ['GET', 'manifests/latest'],
      ] as const) {
        const answer = await client.send(method, `/v2/${encoded}/${path}`)
        expect([encoded, answer.status, errorCodeOf(answer)]).toEqual([encoded, 400, 'NAME_INVALID'])
      }
    }
    const mount = `/v2/a/blobs/uploads/?mount=${indexOf([]).descriptor.digest}&from=../../etc`
    expect(errorCodeOf(await client.send('POST', mount))).toBe('NAME_INVALID')
  })

  test('refuses malformed digests, tags and percent signs', async () => {
    registry = await startRegistry(kind)
    const { client } = registry
    for (const [path, status, code] of [
      ['/v2/a/blobs/..%2f..%2fetc%2fpasswd', 404, 'UNSUPPORTED'],
      ['/v2/a/blobs/sha256:..', 400, 'DIGEST_INVALID'],
      ['/v2/a/blobs/latest', 400, 'DIGEST_INVALID'],
      ['/v2/a/referrers/latest', 400, 'DIGEST_INVALID'],
      ['/v2/a/manifests/..', 400, 'TAG_INVALID'],
      ['/v2/a/manifests/%zz', 400, 'NAME_INVALID'],
    ] as const) {
      const answer = await client.send('GET', path)
      expect([path, answer.status, errorCodeOf(answer)]).toEqual([path, status, code])
    }
  })
})

test('answers 404 outside of the API, and 405 with the methods that are possible', async () => {
  const client = await start({})
  for (const path of [
    '/',
    '/v1/',
    '/v2/a',
    '/v2/a/b',
    '/v22/',
    '/v2/a/manifests/',
    '/v2/a/tags/other',
    '/favicon.ico',
  ]) {
    const answer = await client.send('GET', path)
    expect([path, answer.status, errorCodeOf(answer)]).toEqual([path, 404, 'UNSUPPORTED'])
  }
  const answer = await client.send('POST', '/v2/a/manifests/latest')
  expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD, PUT, DELETE'])
})

test('tells the client nothing of a fault of its own, and the log everything', async () => {
  const lines: string[] = []
  const repositories = (await KINDS[0]?.open())?.repositories
  if (repositories === undefined) throw new Error('there is no collection')
  repositories.find = async () => {
    throw new Error('the disk at /secret/path is gone')
  }
  await using server = createRegistryServer({ repositories, log: line => lines.push(line) })
  const { port } = await server.listen('127.0.0.1', 0)
  const answer = await new RawClient(`http://127.0.0.1:${port}`).send('GET', '/v2/a/tags/list')
  expect([answer.status, errorCodeOf(answer)]).toEqual([500, 'UNKNOWN'])
  expect(answer.body.toString()).not.toContain('secret')
  expect(lines[0]).toBe('GET failed: the disk at /secret/path is gone')
})

test('goes on when a client leaves in the middle of a blob, without calling it a fault', async () => {
  const lines: string[] = []
  const client = await start({ log: line => lines.push(line) })
  const digest = await client.putBlob('team/left', noise(20_000_000, 'left'))
  const { hostname, port } = new URL(client.origin)
  await new Promise(resolve => {
    const path = `/v2/team/left/blobs/${digest}`
    const request = httpRequest({ hostname, port, path, agent: false }, response => {
      response.once('data', () => request.destroy())
      response.once('close', resolve)
      response.on('error', () => {})
    })
    request.end()
  })
  for (let attempt = 0; attempt < 200 && !lines.some(line => line.startsWith('GET')); attempt++)
    await sleep(20)
  expect(lines.filter(line => line.startsWith('GET'))).toEqual([expect.stringMatching(/ 200 \d+ms$/)])
})

test('says which password file it can not use', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'htpasswd')
  await expect(Htpasswd.load(path)).rejects.toThrow(`can't read the password file ${path}`)
  await writeFile(path, '# users\n\nann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n')
  await expect(Htpasswd.load(path)).rejects.toThrow(`line 3 of ${path} is not a user with a bcrypt hash`)
})

test('says when it can not listen', async () => {
  const client = await start({})
  const port = Number(new URL(client.origin).port)
  const repositories = registry?.repositories
  if (repositories === undefined) throw new Error('there is no collection')
  await using second = createRegistryServer({ repositories })
  await expect(second.listen('127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' })
})
