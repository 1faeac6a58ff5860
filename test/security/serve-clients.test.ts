import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import { LayoutCollection } from '../../src/layout/layout-collection.js'
import { createRegistryServer } from '../../src/server/server.js'
import { RawClient } from '../conformance/raw-client.js'
import { temporaryFolder } from '../support/temporary-folder.js'

describe('clients that take their time', () => {
  it('are dropped when they send no head, or stop in the middle of a body, and hold nobody up', async () => {
    const slow = createRegistryServer({
      repositories: new MemoryCollection(),
      headerTimeoutMs: 300,
      idleTimeoutMs: 600,
    })
    try {
      const { port } = await slow.listen('127.0.0.1', 0)
      const quick = new RawClient(`http://127.0.0.1:${port}`)
      const location = await quick.startUpload('a')
      const endings = Array.from({ length: 50 }, (_, number) =>
        dribble(port, number % 2 === 0 ? '' : location),
      )
      const digest = await quick.putBlob('b', Buffer.from('meanwhile'))
      expect((await quick.send('GET', `/v2/b/blobs/${digest}`)).status).toBe(200)
      const answers = await Promise.all(endings)
      expect(answers.filter((_, number) => number % 2 === 0)).toEqual(Array(25).fill(408))
    } finally {
      await slow.close()
    }
  })
})

/** Sends a head byte by byte, or a whole one with a body that stops. @returns the status of the answer */
function dribble(port: number, location: string): Promise<number> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    const timer = setInterval(() => {
      if (location === '') socket.write('X')
    }, 50)
    socket.on('error', () => {})
    socket.on('data', chunk => {
      answer += chunk
    })
    socket.on('close', () => {
      clearInterval(timer)
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]))
    })
    socket.write(
      location === ''
        ? 'GET /v2/ HTTP/1.1\r\nX'
        : `PATCH ${location} HTTP/1.1\r\nHost: registry\r\nContent-Length: 9\r\n\r\nabc`,
    )
  })
}

describe('two hundred clients at once', () => {
  it('push and pull, each its own blob and one that all share', async () => {
    await using folder = await temporaryFolder()
    const uploadDirectory = join(folder.path, '_uploads')
    await using repositories = await LayoutCollection.open(folder.path)
    await using server = createRegistryServer({ repositories, uploadDirectory })
    const { port } = await server.listen('127.0.0.1', 0)
    const client = new RawClient(`http://127.0.0.1:${port}`)
    const shared = Buffer.alloc(100_000, 'shared')
    await Promise.all(
      Array.from({ length: 200 }, async (_, number) => {
        const own = Buffer.from(`blob of client ${number}`.repeat(100))
        for (const bytes of [own, shared]) {
          const digest = await client.putBlob(`many/${number % 10}`, bytes)
          const { body } = await client.send('GET', `/v2/many/${number % 10}/blobs/${digest}`)
          expect(body.equals(bytes)).toBe(true)
        }
      }),
    )
    expect(await readdir(uploadDirectory)).toEqual([])
  })
})
