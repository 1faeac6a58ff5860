import { readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { type ClientRequest, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { noise } from '../contract/store-fixtures.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { type RunningRegistry, startRegistry } from './collections.js'
import { errorCodeOf, type RawClient, withDigest } from './raw-client.js'

const REPO = 'conformance/uploads'

describe('uploads', () => {
  let folder: TemporaryFolder
  let registry: RunningRegistry
  const start = async (options: Parameters<typeof startRegistry>[1] = {}) => {
    registry = await startRegistry(undefined, { uploadDirectory: uploads(), ...options })
    return registry.client
  }
  const uploads = () => join(folder.path, 'uploads')
  /** The files of unfinished uploads. */
  const files = () => readdir(uploads()).catch(() => [])
  /** Sends the head of a PATCH and some of its bytes, and leaves the rest out. */
  const sendPart = (
    client: RawClient,
    location: string,
    bytes: Buffer,
    length: number,
    method = 'PATCH',
  ): ClientRequest => {
    const { hostname, port } = new URL(client.origin)
    const headers = { 'Content-Length': length, 'Content-Range': `0-${length - 1}` }
    const request = httpRequest({ hostname, port, path: location, method, headers, agent: false })
    request.on('error', () => {})
    request.write(bytes)
    return request
  }
  const untilReceived = async (client: RawClient, location: string, bytes: number) => {
    for (let attempt = 0; attempt < 200; attempt++) {
      const { headers } = await client.send('GET', location)
      if (headers.range === `0-${bytes - 1}`) return
      await sleep(20)
    }
    throw new Error(`the server never had ${bytes} bytes`)
  }
  const untilFileHas = async (bytes: number) => {
    for (let attempt = 0; attempt < 200; attempt++) {
      for (const file of await files()) {
        if ((await stat(join(uploads(), file))).size >= bytes) return
      }
      await sleep(20)
    }
    throw new Error(`no file had ${bytes} bytes`)
  }

  beforeEach(async () => {
    folder = await temporaryFolder()
  })
  afterEach(async () => {
    await registry.stop()
    await folder[Symbol.asyncDispose]()
  })

  test('keeps what a broken PATCH had sent, and goes on from there', async () => {
    const client = await start()
    const bytes = noise(300_000, 'broken')
    const location = await client.startUpload(REPO)
    const request = sendPart(client, location, bytes.subarray(0, 100_000), bytes.length)
    await untilFileHas(100_000)
    request.destroy()
    await untilReceived(client, location, 100_000)
    const rest = { headers: { 'Content-Range': '100000-299999' }, body: bytes.subarray(100_000) }
    expect((await client.send('PATCH', location, rest)).status).toBe(202)
    const put = await client.send('PUT', withDigest(location, digestOf(bytes)))
    expect(put.status).toBe(201)
  })

  test('keeps what a broken PUT had sent, and a second PUT sends the rest (rule R243)', async () => {
    const client = await start()
    const bytes = noise(300_000, 'broken put')
    const location = await client.startUpload(REPO)
    const target = withDigest(location, digestOf(bytes))
    const request = sendPart(client, target, bytes.subarray(0, 100_000), bytes.length, 'PUT')
    await untilFileHas(100_000)
    request.destroy()
    await untilReceived(client, location, 100_000)
    const rest = { headers: { 'Content-Range': '100000-299999' }, body: bytes.subarray(100_000) }
    expect((await client.send('PUT', target, rest)).status).toBe(201)
    const { body } = await client.send('GET', `/v2/${REPO}/blobs/${digestOf(bytes)}`)
    expect(body.equals(bytes)).toBe(true)
  })

  test('goes on with an upload after the server was started anew', async () => {
    const before = await start()
    const bytes = noise(1000, 'restart')
    const location = await before.startUpload(REPO)
    expect((await before.send('PATCH', location, { body: bytes.subarray(0, 600) })).status).toBe(202)
    await registry.stop()
    const client = await start()
    const status = await client.send('GET', location)
    expect([status.status, status.headers.range]).toEqual([204, '0-599'])
    const elsewhere = await client.send('GET', location.replace(REPO, 'conformance/other'))
    expect(elsewhere.status).toBe(404)
    const rest = { headers: { 'Content-Range': '600-999' }, body: bytes.subarray(600) }
    const put = await client.send('PUT', withDigest(location, digestOf(bytes)), rest)
    expect(put.status).toBe(201)
    expect(await files()).toEqual([])
  })

  test('checks the bytes of an upload that was there before the server was', async () => {
    const before = await start()
    const bytes = noise(1000, 'changed')
    const location = await before.startUpload(REPO)
    await before.send('PATCH', location, { body: bytes })
    await registry.stop()
    const [file = ''] = await files()
    await writeFile(join(uploads(), file), noise(1000, 'other'))
    const client = await start()
    const put = await client.send('PUT', withDigest(location, digestOf(bytes)))
    expect([put.status, errorCodeOf(put)]).toEqual([400, 'DIGEST_INVALID'])
    expect((await client.send('HEAD', `/v2/${REPO}/blobs/${digestOf(bytes)}`)).status).toBe(404)
  })

  test('gives up old uploads when it starts, and leaves what is not of an upload', async () => {
    const before = await start()
    const location = await before.startUpload(REPO)
    const young = await before.startUpload(REPO)
    await registry.stop()
    const [, id = ''] = /([^/]+)$/.exec(location) ?? []
    const old = (await files()).find(name => name.startsWith(id)) ?? ''
    const longAgo = new Date(Date.now() - 25 * 60 * 60 * 1000)
    await utimes(join(uploads(), old), longAgo, longAgo)
    await writeFile(join(uploads(), 'notes.txt'), 'mine')
    const client = await start()
    expect((await client.send('GET', location)).status).toBe(404)
    expect((await client.send('GET', young)).status).toBe(204)
    expect(await files()).toHaveLength(2)
    expect(await files()).toContain('notes.txt')
  })

  test('refuses one upload more than there may be', async () => {
    const client = await start({ uploadMaximum: 2 })
    const location = await client.startUpload(REPO)
    await client.startUpload(REPO)
    const refused = await client.send('POST', `/v2/${REPO}/blobs/uploads/`)
    expect([refused.status, errorCodeOf(refused)]).toEqual([429, 'TOOMANYREQUESTS'])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    await client.send('DELETE', location)
    expect((await client.send('POST', `/v2/${REPO}/blobs/uploads/`)).status).toBe(202)
  })

  test('refuses bytes beyond what unfinished uploads may have, and goes on', async () => {
    const client = await start({ uploadLimitBytes: 1000 })
    const location = await client.startUpload(REPO)
    await client.send('PATCH', location, { body: noise(600, 'first') })
    const tooMuch = await client.startUpload(REPO)
    const refused = await client.send('PATCH', tooMuch, { body: noise(500, 'second') })
    expect([refused.status, JSON.parse(`${refused.body}`).errors[0].message]).toEqual([
      507,
      'the registry holds as many unfinished bytes as it may',
    ])
    expect((await client.send('GET', tooMuch)).status).toBe(404)
    await client.putBlob(REPO, noise(400, 'third'))
  })

  test('answers before the body has ended where it can say no, and lets the client go on (rule R244)', async () => {
    const client = await start({ uploadLimitBytes: 1000 })
    const location = await client.startUpload(REPO)
    const refused = await client.send('PATCH', location, { body: noise(3_000_000, 'large') })
    expect(refused.status).toBe(507)
  })

  test('keeps nothing of a broken POST, whose upload nobody knows', async () => {
    const client = await start()
    const bytes = noise(1000, 'post')
    const { hostname, port } = new URL(client.origin)
    const path = `/v2/${REPO}/blobs/uploads/?digest=${digestOf(bytes)}`
    const headers = { 'Content-Length': bytes.length }
    const request = httpRequest({ hostname, port, path, method: 'POST', headers, agent: false })
    request.on('error', () => {})
    request.write(bytes.subarray(0, 300))
    await untilFileHas(300)
    request.destroy()
    for (let attempt = 0; attempt < 200 && (await files()).length > 0; attempt++) await sleep(20)
    expect(await files()).toEqual([])
  })

  test('cuts off a request that is silent when another one comes for its upload', async () => {
    const client = await start({ uploadPatienceMs: 100 })
    const bytes = noise(1000, 'silent')
    const location = await client.startUpload(REPO)
    const silent = sendPart(client, location, bytes.subarray(0, 400), bytes.length)
    await untilFileHas(400)
    await untilReceived(client, location, 400)
    const rest = { headers: { 'Content-Range': '400-999' }, body: bytes.subarray(400) }
    const put = await client.send('PUT', withDigest(location, digestOf(bytes)), rest)
    expect(put.status).toBe(201)
    silent.destroy()
  })

  test('answers 409 while another request writes to the upload', async () => {
    const client = await start({ uploadPatienceMs: 1000 })
    const location = await client.startUpload(REPO)
    const busy = sendPart(client, location, noise(100, 'busy'), 100_000)
    const trickle = setInterval(() => busy.write(noise(10, 'trickle')), 20)
    try {
      await untilFileHas(100)
      const refused = await client.send('PATCH', location, { body: noise(10, 'second') })
      expect([refused.status, errorCodeOf(refused)]).toEqual([409, 'BLOB_UPLOAD_INVALID'])
    } finally {
      clearInterval(trickle)
      busy.destroy()
    }
  })

  test('lets two requests write to one upload, one after the other', async () => {
    const client = await start()
    const location = await client.startUpload(REPO)
    const parts = [noise(50_000, 'one'), noise(60_000, 'two')]
    const answers = await Promise.all(parts.map(body => client.send('PATCH', location, { body })))
    expect(answers.map(({ status }) => status)).toEqual([202, 202])
    expect((await client.send('GET', location)).headers.range).toBe('0-109999')
  })

  test('takes many uploads at once, of the same blob too', async () => {
    const client = await start()
    const bytes = noise(100_000, 'many')
    const digests = await Promise.all(Array.from({ length: 12 }, () => client.putBlob(REPO, bytes)))
    expect(new Set(digests).size).toBe(1)
    expect((await client.send('GET', `/v2/${REPO}/blobs/${digests[0]}`)).body.equals(bytes)).toBe(true)
    expect(await files()).toEqual([])
  })

  test('keeps unfinished uploads where nobody else can read them', async () => {
    const client = await start()
    await client.startUpload(REPO)
    expect((await stat(uploads())).mode & 0o777).toBe(0o700)
    const [file = ''] = await files()
    expect((await stat(join(uploads(), file))).mode & 0o777).toBe(0o600)
  })

  test('removes unfinished uploads when a server closes that has no folder for them', async () => {
    const system = process.env.TMPDIR
    process.env.TMPDIR = folder.path
    try {
      const client = await start({ uploadDirectory: undefined })
      await client.send('PATCH', await client.startUpload(REPO), { body: noise(1000, 'unfinished') })
      expect(await readdir(folder.path)).toHaveLength(1)
      await registry.stop()
      expect(await readdir(folder.path)).toEqual([])
    } finally {
      if (system === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = system
    }
  })

  test('gives up an upload that nothing happens to', async () => {
    const client = await start({ uploadExpiryMs: 50 })
    const location = await client.startUpload(REPO)
    for (let attempt = 0; attempt < 200 && (await files()).length > 0; attempt++) await sleep(20)
    expect(await files()).toEqual([])
    expect((await client.send('PATCH', location, { body: noise(10, 'late') })).status).toBe(404)
  })

  test('knows an upload only in its own repository', async () => {
    const client = await start()
    const location = await client.startUpload(REPO)
    const elsewhere = await client.send('GET', location.replace(REPO, 'conformance/other'))
    expect([elsewhere.status, errorCodeOf(elsewhere)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
    expect((await client.send('GET', `/v2/${REPO}/blobs/uploads/unknown`)).status).toBe(404)
  })

  test.each([
    ['bytes 0-99/100', 202],
    ['0-99', 202],
    ['0-98', 400],
    ['99-0', 400],
    ['all', 400],
  ])('answers a chunk of 100 bytes with the range "%s" by %i', async (range, status) => {
    const client = await start()
    const location = await client.startUpload(REPO)
    const patch = { headers: { 'Content-Range': range }, body: noise(100, 'range') }
    expect((await client.send('PATCH', location, patch)).status).toBe(status)
  })

  test('makes no repository before something is in it', async () => {
    const client = await start()
    await client.startUpload(REPO)
    expect(await registry.repositories.find(REPO)).toBeUndefined()
  })

  test('goes on serving after a connection that sends nonsense', async () => {
    const client = await start()
    const { hostname, port } = new URL(client.origin)
    const socket = connect(Number(port), hostname)
    await new Promise(resolve => {
      socket.once('close', resolve)
      socket.on('data', () => {})
      socket.write('nonsense\r\n\r\n')
    })
    expect((await client.send('GET', '/v2/')).status).toBe(200)
  })
})
