import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { requestOf } from '../../test/support/fake-sender.js'
import { startRaw } from '../../test/support/raw-server.js'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { discard } from './send.js'
import { Transport } from './transport.js'

const PIECE = Buffer.alloc(64 * 1024)
const PIECES = 400

/** Takes any server for an insecure registry. */
function openTransport(): Transport {
  return new Transport({
    userAgent: 'test',
    maximumConnections: 4,
    proxyFor: () => undefined,
    policy: { isInsecure: () => true, allowInternal: true },
  })
}

test('R244: reads a refusal that comes in the middle of a body, though the connection is closed', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'body')
  await writeFile(path, Buffer.alloc(PIECE.length * PIECES))
  await using server = await startRaw(socket => {
    let count = 0
    socket.on('data', bytes => {
      if (count >= 1_000_000) return
      count += bytes.length
      if (count < 1_000_000) return
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge', () => socket.resetAndDestroy())
    })
    socket.resume()
  })
  await using transport = openTransport()
  const base = new URL(`http://${server.host}`)
  const body = {
    length: PIECE.length * PIECES,
    open: async () => createReadStream(path),
  }
  const endpoint = { registry: server.host, base, insecure: true }
  // Which side is faster is up to the system.
  for (let times = 0; times < 10; times++) {
    const response = await transport.send(requestOf({ method: 'PUT', url: base, endpoint, body }))
    discard(response)
    expect(response.status).toBe(413)
  }
})

test('R244: a connection that is closed without a word is an error all the same', async () => {
  await using server = await startRaw(socket => {
    socket.once('data', () => socket.resetAndDestroy())
    socket.resume()
  })
  await using transport = openTransport()
  const base = new URL(`http://${server.host}`)
  const body = { length: PIECE.length * PIECES, open: async () => Buffer.alloc(PIECE.length * PIECES) }
  const endpoint = { registry: server.host, base, insecure: true }
  const sending = transport.send(requestOf({ method: 'PUT', url: base, endpoint, body }))
  await expect(sending).rejects.toMatchObject({
    code: expect.stringMatching(/^(ECONNRESET|EPIPE|HTTP_CLOSED)$/),
  })
})
