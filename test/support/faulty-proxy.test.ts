import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { startBodyLimitProxy } from './body-limit-proxy.js'
import { startFaultyProxy } from './faulty-proxy.js'

const SIZE = 3_000_000
const BODY = Buffer.alloc(SIZE, 'regctl')

describe('the faulty proxy', () => {
  it('passes everything on both ways, and counts it', async () => {
    await using server = await startServer()
    await using proxy = await startFaultyProxy(server.host)
    const response = await fetch(`http://${proxy.host}/`, { method: 'POST', body: BODY })
    expect(Buffer.from(await response.arrayBuffer()).equals(BODY)).toBe(true)
    expect(proxy.connections()).toBe(1)
    expect(proxy.bytesUp()).toBeGreaterThan(SIZE)
    expect(proxy.bytesUp()).toBeLessThan(SIZE + 1000)
    expect(proxy.bytesDown()).toBeGreaterThan(SIZE)
    expect(proxy.bytesDown()).toBeLessThan(SIZE + 1000)
    expect(proxy.faults()).toBe(0)
  })

  it('cuts each connection after so many bytes, as often as it is told', async () => {
    await using server = await startServer()
    await using proxy = await startFaultyProxy(server.host, { cuts: { down: 100_000, times: 2 } })
    const sizes = [await download(proxy.host), await download(proxy.host), await download(proxy.host)]
    expect(sizes.map(({ error }) => error)).toEqual(['ECONNRESET', 'ECONNRESET', undefined])
    expect(sizes.map(({ size }) => size)).toEqual([100_000, 100_000, expect.any(Number)])
    expect(proxy.faults()).toBe(2)
  })

  it('cuts whenever so many bytes went through in total', async () => {
    await using server = await startServer()
    const cuts = { down: SIZE + 1_000_000, times: 1, counted: 'total', how: 'close' } as const
    await using proxy = await startFaultyProxy(server.host, { cuts })
    const [first, second] = [await download(proxy.host), await download(proxy.host)]
    expect(first.size).toBeGreaterThan(SIZE)
    expect(second).toEqual({ size: cuts.down - first.size, error: undefined })
  })

  it('cuts uploads', async () => {
    await using server = await startServer()
    await using proxy = await startFaultyProxy(server.host, { cuts: { up: 500_000, times: 1 } })
    const upload = async () =>
      (await fetch(`http://${proxy.host}/`, { method: 'POST', body: BODY })).arrayBuffer()
    await expect(upload()).rejects.toThrow()
    expect((await upload()).byteLength).toBe(SIZE)
  })

  it('freezes a connection and keeps it open', async () => {
    await using server = await startServer()
    await using proxy = await startFaultyProxy(server.host, { freezes: { down: 1_000_000, times: 1 } })
    const [hostname = '', port] = proxy.host.split(':')
    const socket = connect(Number(port), hostname)
    socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    let size = 0
    socket.on('data', chunk => {
      size += chunk.length
    })
    while (size < 1_000_000) await once(socket, 'data')
    expect((await download(proxy.host)).size).toBeGreaterThan(SIZE)
    expect([size, socket.readableEnded, socket.destroyed]).toEqual([1_000_000, false, false])
    const closed = once(socket, 'close')
    await proxy[Symbol.asyncDispose]()
    await closed
  })

  it('takes the time that a far and narrow link takes, and no more', async () => {
    await using server = await startServer()
    await using far = await startFaultyProxy(server.host, { roundTripMs: 60 })
    await using narrow = await startFaultyProxy(server.host, { bytesPerSecond: 20_000_000 })
    // The lower bounds can't fail on a busy machine.
    expect(await millisecondsOf(download(far.host))).toBeGreaterThanOrEqual(59)
    expect(await millisecondsOf(download(narrow.host))).toBeGreaterThanOrEqual(149)
  })

  it('holds no more than a window of what a slow reader has not taken', async () => {
    await using server = await startServer((_request, response) => {
      const flood = () => {
        while (response.write(BODY));
        response.once('drain', flood)
      }
      flood()
    })
    await using proxy = await startFaultyProxy(server.host, { roundTripMs: 2 })
    const [hostname = '', port] = proxy.host.split(':')
    const socket = connect(Number(port), hostname)
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    let last = -1
    for (let still = 0; still < 20; still = proxy.bytesDown() === last ? still + 1 : 0) {
      last = proxy.bytesDown()
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    // The kernel's buffers of both sockets, and the window.
    expect(last).toBeLessThan(32_000_000)
    socket.destroy()
  })
})

describe('the proxy that limits bodies', () => {
  const upload = (host: string, body: Buffer | ReadableStream) =>
    fetch(`http://${host}/`, { method: 'POST', body, duplex: 'half' } as RequestInit)

  it('answers 413 in HTML to a larger body, and passes others on', async () => {
    await using server = await startServer()
    await using proxy = await startBodyLimitProxy(server.host, 100_000)
    expect((await upload(proxy.host, BODY.subarray(0, 100_000))).status).toBe(200)
    const refused = await upload(proxy.host, BODY.subarray(0, 100_001))
    expect(refused.status).toBe(413)
    expect(refused.headers.get('content-type')).toBe('text/html')
    expect(await refused.text()).toContain('Request Entity Too Large')
    expect(proxy.refused()).toBe(1)
  })

  it('counts a body without a length as it comes', async () => {
    await using server = await startServer()
    await using proxy = await startBodyLimitProxy(server.host, 100_000)
    expect((await upload(proxy.host, new Blob([BODY.subarray(0, 200_000)]).stream())).status).toBe(413)
    expect((await upload(proxy.host, new Blob([BODY.subarray(0, 90_000)]).stream())).status).toBe(200)
  })

  it('can close at once, so that the answer may be lost', async () => {
    await using server = await startServer()
    await using proxy = await startBodyLimitProxy(server.host, 1000, { close: 'reset' })
    const outcome = await upload(proxy.host, BODY).then(
      ({ status }) => status,
      () => 'lost',
    )
    expect([413, 'lost']).toContain(outcome)
    expect(proxy.refused()).toBe(1)
  })
})

/** Answers GET with a large body, and POST with what it got. */
async function startServer(listener?: RequestListener) {
  const echo: RequestListener = (request, response) => {
    if (request.method === 'POST') request.pipe(response)
    else response.end(BODY)
    request.on('error', () => {})
  }
  const server = createServer(listener ?? echo)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** What came of one download on a connection of its own, HTTP and all. */
async function download(host: string): Promise<{ size: number; error: string | undefined }> {
  const [hostname = '', port] = host.split(':')
  const socket = connect(Number(port), hostname)
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  let size = 0
  let error: string | undefined
  socket.on('error', problem => {
    error = (problem as NodeJS.ErrnoException).code
  })
  socket.on('data', chunk => {
    size += chunk.length
  })
  await once(socket, 'close').catch(() => new Promise(resolve => socket.on('close', resolve)))
  return { size, error }
}

async function millisecondsOf(work: Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work
  return performance.now() - start
}
