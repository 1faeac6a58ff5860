import { once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { requestOf } from '../../test/support/fake-sender.js'
import { randomBytes } from '../../test/support/random-bytes.js'
import { readHead, startRaw } from '../../test/support/raw-server.js'
import { type Answer, answer, startScripted } from '../../test/support/scripted-server.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { readLimited } from '../content/verify.js'
import { anonymous } from '../credentials/credential-store.js'
import { RegistryClient, type RegistryClientOptions } from './client.js'
import type { RegistryRequest } from './send.js'
import { Transport } from './transport.js'

const STALL_MS = 150
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
/** More than the sockets of both sides hold. */
const LARGE = 32 * 1024 * 1024

function transportOf(stallTimeoutMs = STALL_MS): Transport {
  return new Transport({
    userAgent: 'test',
    maximumConnections: 4,
    proxyFor: () => undefined,
    policy: { isInsecure: () => true, allowInternal: true },
    stallTimeoutMs,
  })
}

function requestTo(host: string, fields: Partial<RegistryRequest> = {}): RegistryRequest {
  const base = new URL(`http://${host}`)
  return requestOf({
    url: new URL('/v2/a/x', base),
    endpoint: { registry: host, base, insecure: true },
    ...fields,
  })
}

function clientOf(options: Partial<RegistryClientOptions> = {}): RegistryClient {
  return new RegistryClient({
    credentials: anonymous,
    stallTimeoutMs: STALL_MS,
    retry: { firstDelayMs: 1 },
    ...options,
  })
}

/** Answers nothing, and keeps the connection. */
const silence: Answer = () => {}

test('R248: gives up a server that does not answer, and closes the connection', async () => {
  await using server = await startRaw(() => {})
  await using transport = transportOf()
  await expect(transport.send(requestTo(server.host))).rejects.toThrow('no answer came for 0.15 s')
  const [socket] = server.sockets
  socket?.resume()
  if (socket?.closed === false) await once(socket, 'close')
})

test('R248: gives up an upload of which the connection takes no more', async () => {
  await using server = await startRaw(() => {})
  await using transport = transportOf()
  const body = { length: LARGE, open: async () => Buffer.alloc(LARGE) }
  const sending = transport.send(requestTo(server.host, { method: 'PUT', body }))
  await expect(sending).rejects.toThrow('the connection took nothing for 0.15 s')
})

test('R248: the source of an upload may take its time', async () => {
  await using server = await startRaw(async socket => {
    await readHead(socket)
    socket.on('data', data => data.includes('end') && socket.write(OK))
  })
  await using transport = transportOf()
  const source = async function* () {
    yield Buffer.from('start')
    await sleep(3 * STALL_MS)
    yield Buffer.from('end')
  }
  const body = { length: 8, open: async () => Readable.from(source()) }
  const response = await transport.send(requestTo(server.host, { method: 'PUT', body }))
  expect(response.status).toBe(200)
})

test('R248: a registry may need time to move what it was sent', async () => {
  await using server = await startRaw(async socket => {
    await readHead(socket)
    await sleep(3 * STALL_MS)
    socket.write(OK)
  })
  await using transport = transportOf()
  const request = requestTo(server.host, { method: 'PUT' })
  expect((await transport.send({ ...request, movedBytes: 20_000_000 })).status).toBe(200)
  await expect(transport.send(request)).rejects.toThrow('no answer came for 0.15 s')
})

test('R248: the reader of a download may take its time, and the server may dribble', async () => {
  const bytes = randomBytes(1, 2_000_000)
  await using server = await startScripted([
    [/^GET .*large/, answer(200, {}, bytes)],
    [
      /./,
      async (_request, response) => {
        for (let count = 0; count < 20; count++) {
          response.write('.')
          await sleep(STALL_MS / 10)
        }
        response.end()
      },
    ],
  ])
  await using transport = transportOf()
  const url = new URL(`http://${server.host}/large`)
  const { body } = await transport.send(requestTo(server.host, { url }))
  await sleep(3 * STALL_MS)
  expect(digestOf(await readLimited(body, bytes.length, 'it'))).toBe(digestOf(bytes))
  const slow = await transport.send(requestTo(server.host))
  expect((await readLimited(slow.body, 20, 'it')).length).toBe(20)
})

test('R248: waits for ever when told to', async () => {
  await using server = await startRaw(async socket => {
    await readHead(socket)
    await sleep(3 * STALL_MS)
    socket.write(OK)
  })
  await using transport = transportOf(0)
  expect((await transport.send(requestTo(server.host))).status).toBe(200)
})

test('R245, R248: a download that stands still goes on over another connection', async () => {
  const bytes = randomBytes(2, 100_000)
  const descriptor = {
    mediaType: 'application/octet-stream',
    digest: digestOf(bytes),
    size: bytes.length,
  }
  await using server = await startScripted([
    [
      /^GET .*blobs/,
      (_request, response) => {
        response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 40_000))
      },
      answer(206, { 'content-range': 'bytes 40000-99999/100000' }, bytes.subarray(40_000)),
    ],
  ])
  await using client = clientOf()
  const events: CopyEvent[] = []
  const context = createContext({ emit: event => events.push(event) })
  const stream = await client.repository(server.host, 'a').openBlob(descriptor, context)
  expect(digestOf(await buffer(stream))).toBe(descriptor.digest)
  expect(server.seen[1]?.headers.range).toBe('bytes=40000-')
  expect(events).toContainEqual(
    expect.objectContaining({
      type: 'retrying',
      cause: 'nothing came for 0.15 s at byte 40000 of 100000',
    }),
  )
})

test('R248, R256: says what was waited for, for how long and how often, and what helps', async () => {
  await using server = await startScripted([[/./, silence]])
  await using client = clientOf({ retry: { firstDelayMs: 1, attempts: 2 } })
  const digest = digestOf(Buffer.from('x'))
  await expect(client.repository(server.host, 'a').statBlob(digest, createContext())).rejects.toMatchObject({
    kind: 'network',
    code: 'stalled',
    message:
      `check for blob ${digest} in ${server.host}/a failed: HEAD ${server.host}/v2/a/blobs/${digest} failed: ` +
      'no answer came for 0.15 s after 2 attempts',
    hint: 'Where the registry needs longer, give it with `--stall-timeout`',
  })
})

test('R248: gives up a token server that does not answer', async () => {
  await using server = await startScripted([
    [/token/, silence],
    [
      /./,
      (_request, response) => {
        const realm = `http://${server.host}/token`
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end()
      },
    ],
  ])
  await using client = clientOf({ retry: { firstDelayMs: 1, attempts: 2 } })
  const reading = client.repository(server.host, 'a').getManifest('x', createContext())
  await expect(reading).rejects.toThrow(
    `GET ${server.host}/token failed: no answer came for 0.15 s after 2 attempts`,
  )
})

test('R248: gives up a TLS handshake and a proxy that stand still', async () => {
  await using silent = await startRaw(() => {})
  const secure = transportOf()
  const base = new URL(`https://${silent.host}`)
  const endpoint = { registry: silent.host, base, insecure: true }
  const asked = secure.send(requestOf({ url: base, endpoint }))
  await expect(asked).rejects.toMatchObject({ code: 'HTTP_CONNECT_TIMEOUT' })
  await secure[Symbol.asyncDispose]()

  await using client = clientOf({
    insecureRegistries: ['registry.example'],
    proxyFor: () => new URL(`http://${silent.host}`),
    retry: { attempts: 1 },
  })
  const reading = client.repository('registry.example', 'a').getManifest('x', createContext())
  await expect(reading).rejects.toThrow('failed: the proxy did not answer in time')
})

test('R254: an abort while there is no connection yet is heard at once', async () => {
  await using silent = await startRaw(() => {})
  const transport = transportOf(60_000)
  const base = new URL(`https://${silent.host}`)
  const endpoint = { registry: silent.host, base, insecure: true }
  const controller = new AbortController()
  const context = createContext({ signal: controller.signal })
  const asked = transport.send(requestOf({ url: base, endpoint, context }))
  while (silent.sockets.length === 0) await sleep(5)
  controller.abort(new Error('stop'))
  await expect(asked).rejects.toThrow('stop')
  // What was being connected is closed with the rest.
  await transport[Symbol.asyncDispose]()
  const [socket] = silent.sockets
  socket?.resume()
  if (socket?.closed === false) await once(socket, 'close')
})
