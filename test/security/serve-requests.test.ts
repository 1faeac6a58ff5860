import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { LayoutCollection } from '../../src/layout/layout-collection.js'
import { createRegistryServer, type RegistryServer } from '../../src/server/server.js'
import { RawClient, withDigest } from '../conformance/raw-client.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'

/** What no answer may hold, and no request change. */
const CANARY = 'canary outside of the registry'
const DIGEST = digestOf(Buffer.from(CANARY))

let folder: TemporaryFolder
let repositories: LayoutCollection
let server: RegistryServer
let port: number
let client: RawClient

beforeAll(async () => {
  folder = await temporaryFolder()
  const data = join(folder.path, 'data')
  await mkdir(join(folder.path, 'outside/_layout'), { recursive: true })
  for (const name of ['canary', 'outside/canary', 'outside/_layout/oci-layout'])
    await writeFile(join(folder.path, name), CANARY)
  repositories = await LayoutCollection.open(data)
  const uploadDirectory = join(data, '_uploads')
  server = createRegistryServer({ repositories, uploadDirectory, uploadLimitBytes: 2_000_000 })
  port = (await server.listen('127.0.0.1', 0)).port
  client = new RawClient(`http://127.0.0.1:${port}`)
  await client.putBlob('a', Buffer.from('a blob'))
})

afterAll(async () => {
  await server.close()
  await repositories[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

/** Sends bytes as they are, and gives all that comes back until the connection ends. */
function exchange(...parts: (string | Buffer)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.setTimeout(20_000, () => reject(new Error(`no end of the answer: ${answer}`)))
    socket.on('data', chunk => {
      answer += chunk
    })
    // Whoever answers early may close while we are still sending.
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
    for (const part of parts) socket.write(part)
  })
}

const head = (line: string, ...headers: string[]) =>
  `${[`${line} HTTP/1.1`, 'Host: registry', ...headers].join('\r\n')}\r\n\r\n`
const CLOSE = 'Connection: close'
const statusesOf = (answer: string) =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(match => Number(match[1]))

describe('a request that tries to get out of the folder', () => {
  it.each([
    '../outside',
    '../../outside',
    '..%2foutside',
    '%2e%2e/outside',
    '%2E%2E%2Foutside',
    'a/../../outside',
    'a/%2e%2e/%2e%2e/outside',
    'a%2f..%2f..%2foutside',
    'a\\..\\..\\outside',
    'a%5c..%5c..%5coutside',
    'a/./b',
    'a//b',
    '/etc',
    'a%00',
    '%00/../outside',
    '%c0%ae%c0%ae/outside',
    '%c0%af..%c0%afoutside',
    '%e0%80%ae%e0%80%ae/outside',
    '\u{ff0e}\u{ff0e}/outside',
    '%ef%bc%8e%ef%bc%8e/outside',
    'a%e2%80%ae',
    'a%0d%0aX-Injected:%20yes',
    '_uploads',
    '_layout',
    'a/_layout',
    'a/_layout/blobs',
    'CON%20',
    'a'.repeat(300),
    `${'a/'.repeat(300)}a`,
  ])('is refused by its name: %s', async name => {
    for (const [method, rest] of [
      ['GET', 'manifests/latest'],
      ['GET', `blobs/${DIGEST}`],
      ['GET', 'tags/list'],
      ['POST', 'blobs/uploads/'],
      ['DELETE', `blobs/${DIGEST}`],
    ]) {
      const answer = await exchange(
        Buffer.from(head(`${method} /v2/${name}/${rest}`, CLOSE, 'Content-Length: 0')),
      )
      expect(statusesOf(answer), answer).toHaveLength(1)
      expect([400, 404, 405]).toContain(statusesOf(answer)[0])
      expect(answer).not.toMatch(/canary|X-Injected: yes|at \w+ \(/)
    }
  })

  it.each([
    'manifests/..%2f..%2f..%2fcanary',
    'manifests/%2e%2e',
    'manifests/..%00',
    'manifests/latest%00',
    `manifests/${'t'.repeat(129)}`,
    'blobs/sha256:..%2f..%2f..%2f..%2fcanary',
    `blobs/sha256:${'.'.repeat(64)}`,
    `blobs/sha256:${'A'.repeat(64)}`,
    'blobs/../../../canary',
    `blobs/md5:${'0'.repeat(32)}`,
    `referrers/sha256:..%2fcanary`,
    'blobs/uploads/..%2f..%2f..%2fcanary',
    'blobs/uploads/%2e%2e',
    'blobs/uploads/..%5c..%5ccanary',
    'blobs/uploads/%00',
    `blobs/uploads/${'0'.repeat(5000)}`,
    'blobs/uploads/__proto__',
  ])('is refused by its last part: %s', async last => {
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']) {
      const line = `${method} /v2/a/${last}${method === 'PUT' ? `?digest=${DIGEST}` : ''}`
      const answer = await exchange(Buffer.from(head(line, CLOSE, 'Content-Length: 2')), '{}')
      expect([400, 404, 405], `${method} ${answer}`).toContain(statusesOf(answer)[0])
      expect(answer).not.toContain('canary')
    }
  })

  it('has changed and made nothing', async () => {
    const entries = await readdir(folder.path, { recursive: true })
    const outside = entries.filter(name => !name.startsWith('data')).sort()
    expect(outside).toEqual([
      'canary',
      'outside',
      'outside/_layout',
      'outside/_layout/oci-layout',
      'outside/canary',
    ])
    expect((await readdir(join(folder.path, 'data'))).sort()).toEqual(['_uploads', 'a'])
    expect(await readdir(join(folder.path, 'data/_uploads'))).toEqual([])
  })
})

describe('an odd request', () => {
  it('of two lengths is refused', async () => {
    const answer = await exchange(
      head('POST /v2/a/blobs/uploads/', 'Content-Length: 0', 'Content-Length: 5'),
      'GET /',
    )
    expect(statusesOf(answer)).toEqual([400])
  })

  it('of a length and chunks is refused', async () => {
    const line = head('POST /v2/a/blobs/uploads/', 'Content-Length: 5', 'Transfer-Encoding: chunked')
    const answer = await exchange(line, '0\r\n\r\n', head('GET /v2/', CLOSE))
    expect(statusesOf(answer)).toEqual([400])
  })

  it.each(['5', 'zz', '-1'])(
    'whose chunks are malformed is refused, and its upload holds nothing of it: %s',
    async size => {
      const location = await client.startUpload('a')
      const line = head(`PATCH ${location}`, 'Transfer-Encoding: chunked')
      await exchange(line, `${size}\r\nabcdefgh\r\n0\r\n\r\n`, head('GET /v2/', CLOSE))
      const { headers } = await client.send('GET', location)
      expect(headers.range).toMatch(size === '5' ? /^0-[0-4]$/ : /^0-0$/)
      await client.send('DELETE', location)
    },
  )

  it('that asks whether to go on is told so', async () => {
    const location = await client.startUpload('a')
    const answer = await exchange(
      head(`PATCH ${location}`, 'Expect: 100-continue', 'Content-Length: 3', CLOSE),
      'abc',
    )
    expect(statusesOf(answer)).toEqual([100, 202])
    await client.send('DELETE', location)
  })

  it('that names the whole URL is taken', async () => {
    const answer = await exchange(head('GET http://registry/v2/a/tags/list?n=1', CLOSE))
    expect(statusesOf(answer)).toEqual([200])
    expect(answer).toContain('{"name":"a","tags":[]}')
  })

  it('by HEAD has no body in its answer, whatever that is', async () => {
    const lines = [
      '/v2/',
      '/v2/a/manifests/none',
      '/v2/A/manifests/none',
      `/v2/a/blobs/${DIGEST}`,
      '/nothing',
    ]
    const answer = await exchange(...lines.map(path => head(`HEAD ${path}`)), head('HEAD /v2/', CLOSE))
    expect(statusesOf(answer)).toEqual([200, 404, 400, 404, 404, 200])
    expect(answer).not.toMatch(/[{}]/)
  })

  it('behind another one on its connection is answered after it', async () => {
    const digest = digestOf(Buffer.from('piped'))
    const location = withDigest(await client.startUpload('a'), digest)
    const put = head(`PUT ${location}`, 'Content-Length: 5')
    const answer = await exchange(put, 'piped', head(`GET /v2/a/blobs/${digest}`, CLOSE))
    expect(statusesOf(answer)).toEqual([201, 200])
    expect(answer).toMatch(/\r\n\r\npiped$/)
  })

  it('of HTTP/1.0 is answered, and its connection closed', async () => {
    expect(await exchange('GET /v2/ HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /)
  })

  it.each([
    ['no host', 'GET /v2/ HTTP/1.1\r\n\r\n', 400],
    ['headers without end', `GET /v2/ HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
    ['a method of its own', head('BREW /v2/', CLOSE), 400],
    ['CONNECT', head('CONNECT registry:443', CLOSE), undefined],
    ['an asterisk', head('OPTIONS *', CLOSE), 404],
  ])('with %s does no harm', async (_name, request, status) => {
    expect(statusesOf(await exchange(request))[0]).toBe(status)
    expect((await client.send('GET', '/v2/')).status).toBe(200)
  })

  it('that is refused while its body is on the way does not stop the next on its connection (rule R244)', async () => {
    const location = await client.startUpload('a')
    const size = 6_000_000
    const patch = head(`PATCH ${location}`, `Content-Length: ${size}`)
    const answer = await exchange(patch, Buffer.alloc(size, 'x'), head('GET /v2/', CLOSE))
    expect(statusesOf(answer), answer).toEqual([507, 200])
  })
})
