import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, test } from 'vitest'
import { selfSigned } from '../../test/support/certificates.js'
import { startConnectProxy } from '../../test/support/connect-proxy.js'
import { randomBytes } from '../../test/support/random-bytes.js'
import { readHead, startRaw } from '../../test/support/raw-server.js'
import { answer, startScripted } from '../../test/support/scripted-server.js'
import { missingTool } from '../../test/support/tools.js'
import { readLimited } from '../content/verify.js'
import { HttpClient } from './client.js'
import type { Answer } from './exchange.js'
import { OutgoingBody, type OutgoingBytes } from './outgoing-body.js'
import type { Destination } from './socket.js'
import { StallClock } from './stall-clock.js'

interface Asked {
  method?: string
  body?: { source: OutgoingBytes; length: number }
  signal?: AbortSignal
  closes?: boolean
  destination?: Partial<Destination>
}

/** Sends a request to a server of the test. */
async function ask(client: HttpClient, url: URL, asked: Asked = {}): Promise<Answer> {
  const { method = 'GET', body, closes = false } = asked
  const clock = new StallClock(5000)
  const trust = { verify: false, secureContext: undefined, lookup: undefined, proxy: undefined }
  return await client.send(
    { key: url.origin, url, ...trust, ...asked.destination },
    {
      method,
      target: url.pathname,
      headers: { host: url.host, ...(body !== undefined && { 'content-length': `${body.length}` }) },
      body: body === undefined ? undefined : new OutgoingBody(body.source, body.length, clock),
      signal: asked.signal ?? new AbortController().signal,
      clock,
      answerLimitMs: 5000,
      closes,
    },
  )
}

const whole = (body: Answer['body']) => readLimited(body, 10_000_000, 'the answer')
const clientOf = () => new HttpClient({ connectTimeoutMs: 2000 })
const urlOf = ({ host }: { host: string }, scheme = 'http') => new URL(`${scheme}://${host}/x`)

/** A server that answers each request over a connection with the next of some texts. */
const answering =
  (...answers: string[]) =>
  async (socket: Socket) => {
    for (const text of answers) {
      await readHead(socket)
      socket.write(text)
    }
  }

const EMPTY = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
const HELLO = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

describe('a connection', () => {
  it('is used again, one request after another', async () => {
    await using server = await startRaw(answering(HELLO, EMPTY, HELLO))
    using client = clientOf()
    for (const text of ['hello', '', 'hello'])
      expect(`${await whole((await ask(client, urlOf(server))).body)}`).toBe(text)
    expect(server.sockets).toHaveLength(1)
  })

  it('is not waited for by a request at the same time', async () => {
    await using server = await startRaw(answering(HELLO))
    using client = clientOf()
    const answers = await Promise.all([ask(client, urlOf(server)), ask(client, urlOf(server))])
    for (const { body } of answers) expect(`${await whole(body)}`).toBe('hello')
    expect(server.sockets).toHaveLength(2)
  })

  it.each([
    ['the server closes', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'],
    [
      'the server will close at once',
      'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n',
    ],
    ['is of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['brings more than its answer', `${EMPTY}HTTP/1.1 500 Not asked\r\n\r\n`],
  ])('is not used again that %s', async (_what, text) => {
    await using server = await startRaw(answering(text, text))
    using client = clientOf()
    for (let times = 0; times < 2; times++) expect((await ask(client, urlOf(server))).status).toBe(200)
    expect(server.sockets).toHaveLength(2)
  })

  it('is closed after a request that says so', async () => {
    await using server = await startRaw(answering(EMPTY))
    using client = clientOf()
    await ask(client, urlOf(server), { closes: true })
    const [socket] = server.sockets
    socket?.resume()
    if (socket?.closed === false) await once(socket, 'close')
  })

  it('that speaks later without being asked is not used again', async () => {
    await using server = await startRaw(answering(EMPTY, HELLO))
    using client = clientOf()
    await ask(client, urlOf(server))
    server.sockets[0]?.write(HELLO)
    await sleep(20)
    expect(`${await whole((await ask(client, urlOf(server))).body)}`).toBe('')
    expect(server.sockets).toHaveLength(2)
  })

  it('is closed when an answer is not read to its end', async () => {
    await using server = await startRaw(answering('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nstart'))
    using client = clientOf()
    const { body } = await ask(client, urlOf(server))
    for await (const chunk of body) {
      expect(`${chunk}`).toBe('start')
      break
    }
    const [socket] = server.sockets
    socket?.resume()
    if (socket?.closed === false) await once(socket, 'close')
    await expect(body.next()).rejects.toThrow('the answer was not read to its end')
  })
})

describe('an answer', () => {
  it('that breaks off gives what came, and then an error', async () => {
    await using server = await startRaw(async socket => {
      await readHead(socket)
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    })
    using client = clientOf()
    const { body } = await ask(client, urlOf(server))
    expect(`${(await body.next()).value}`).toBe('half')
    await expect(body.next()).rejects.toMatchObject({ code: 'HTTP_CLOSED' })
  })

  it('is not read faster than its reader takes it', async () => {
    const bytes = randomBytes(1, 48 * 1024 * 1024)
    let written = 0
    await using server = await startRaw(async socket => {
      await readHead(socket)
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`)
      for (let at = 0; at < bytes.length; at += 65_536) {
        if (!socket.write(bytes.subarray(at, at + 65_536))) await once(socket, 'drain')
        written = at
      }
    })
    using client = clientOf()
    const { body } = await ask(client, urlOf(server))
    const pieces: Buffer[] = []
    const readSome = async (least: number) => {
      for (let size = 0; size < least; ) {
        const { value = Buffer.alloc(0) } = await body.next()
        size += value.length
        pieces.push(Buffer.from(value))
      }
    }
    await readSome(1)
    for (let before = -1; before !== written; await sleep(100)) before = written
    expect(written).toBeLessThan(bytes.length)
    await readSome(bytes.length - pieces.reduce((sum, { length }) => sum + length, 0))
    expect((await body.next()).done).toBe(true)
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true)
  })

  it('lies, where it is large, as a disk takes it: in whole pages of memory, one after another', async () => {
    const bytes = randomBytes(3, 5_000_000)
    await using server = await startRaw(async socket => {
      await readHead(socket)
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`)
      for (let at = 0; at < bytes.length; at += 333_333) socket.write(bytes.subarray(at, at + 333_333))
    })
    using client = clientOf()
    const { body } = await ask(client, urlOf(server))
    let offset = 0
    for await (const chunk of body) {
      expect(chunk.equals(bytes.subarray(offset, offset + chunk.length))).toBe(true)
      const isEnd = offset + chunk.length === bytes.length
      expect(offset % 65_536).toBe(0)
      if (!isEnd) expect([chunk.length % 65_536, chunk.byteOffset % 65_536]).toEqual([0, 0])
      offset += chunk.length
    }
    expect(offset).toBe(bytes.length)
  })

  it('ends with its request’s signal, also while a chunk is waited for', async () => {
    await using server = await startRaw(answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n'))
    using client = clientOf()
    const controller = new AbortController()
    const { body } = await ask(client, urlOf(server), { signal: controller.signal })
    const next = body.next()
    controller.abort(new Error('stop'))
    await expect(next).rejects.toThrow('stop')
  })
})

describe('the body of a request', () => {
  const chunks = async function* (...texts: string[]) {
    // One piece of memory for all of them.
    const memory = Buffer.alloc(10)
    for (const text of texts) yield memory.subarray(0, memory.write(text))
  }

  it('may use its memory again for each chunk', async () => {
    await using server = await startScripted([[/./, answer(201)]])
    using client = clientOf()
    const source = chunks('first', 'second', 'third')
    expect((await ask(client, urlOf(server), { method: 'PUT', body: { source, length: 16 } })).status).toBe(
      201,
    )
    expect(`${server.seen[0]?.body}`).toBe('firstsecondthird')
  })

  it.each([
    ['shorter', 20],
    ['longer', 10],
  ])('that is %s than announced fails', async (word, length) => {
    await using server = await startScripted([[/./, answer(201)]])
    using client = clientOf()
    const source = chunks('first', 'second', 'third')
    const asked = ask(client, urlOf(server), { method: 'PUT', body: { source, length } })
    await expect(asked).rejects.toThrow(`the body is ${word} than the ${length} bytes that were announced`)
  })

  it('is ended when there is an answer before all of it was sent, or no connection', async () => {
    await using server = await startRaw(answering('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'))
    using client = clientOf()
    const endless = () =>
      new Readable({
        read() {
          setImmediate(() => this.push(Buffer.alloc(1000)))
        },
      })
    const refused = endless()
    const body = { source: refused, length: 1e9 }
    expect((await ask(client, urlOf(server), { method: 'PUT', body })).status).toBe(413)
    expect(refused.destroyed).toBe(true)
    const unsent = endless()
    const nowhere = ask(client, new URL('http://127.0.0.1:1'), {
      method: 'PUT',
      body: { source: unsent, length: 1 },
    })
    await expect(nowhere).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(unsent.destroyed).toBe(true)
  })

  it('tells its failure from that of the connection', async () => {
    await using server = await startScripted([[/./, answer(201)]])
    using client = clientOf()
    const source = new Readable({ read: () => {} }).destroy(new Error('disk'))
    const asked = ask(client, urlOf(server), { method: 'PUT', body: { source, length: 5 } })
    await expect(asked).rejects.toMatchObject({ cause: { message: 'disk' } })
  })
})

test.skipIf(missingTool('openssl'))(
  'TLS is spoken as well, directly and through a proxy, with large bodies',
  async () => {
    const bytes = randomBytes(2, 5_000_000)
    await using server = await startScripted([[/./, answer(200, {}, bytes)]], await selfSigned())
    await using proxy = await startConnectProxy({ 'r.example:5000': server.host })
    using client = clientOf()
    const direct = await ask(client, urlOf(server, 'https'))
    // Until its reader comes, it stands still.
    await sleep(100)
    expect((await whole(direct.body)).equals(bytes)).toBe(true)
    const url = new URL('https://r.example:5000/x')
    const tunneled = await ask(client, url, { destination: { proxy: proxy.url } })
    await sleep(100)
    expect((await whole(tunneled.body)).equals(bytes)).toBe(true)
    const unknown = ask(client, new URL('https://s.example/'), { destination: { proxy: proxy.url } })
    await expect(unknown).rejects.toMatchObject({ code: 'HTTP_PROXY_REFUSED', status: 502 })
    await expect(
      ask(client, urlOf(server, 'https'), { destination: { key: 'x', verify: true } }),
    ).rejects.toMatchObject({
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
  },
)
