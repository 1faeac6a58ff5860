import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { selfSigned } from '../../test/support/certificates.js'
import { answersInClearText } from './clear-text.js'

let server: Server | undefined
let identity: { key: string; cert: string }

beforeAll(async () => {
  identity = await selfSigned()
})

afterEach(() => server?.close())

async function ask(started: Server): Promise<boolean> {
  server = started.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { signal } = new AbortController()
  return await answersInClearText(new URL(`https://127.0.0.1:${port}/v2/`), undefined, signal)
}

it('knows a server that speaks HTTP', async () => {
  expect(await ask(createHttpServer())).toBe(true)
})

it('knows one that waits for the end of a line', async () => {
  const lines = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', data => data.includes('\n') && socket.end('HTTP/1.0 400 Bad request\r\n\r\n'))
  })
  expect(await ask(lines)).toBe(true)
})

it('leaves one that speaks TLS to TLS, which goes on with what was begun', async () => {
  const begun: string[] = []
  const tls = createTlsServer(identity)
  tls.on('tlsClientError', error => begun.push(String((error as NodeJS.ErrnoException).code)))
  expect(await ask(tls)).toBe(false)
  // It took the greeting for TLS: it offers too little, or was left before the end.
  expect(begun.join()).not.toContain('WRONG_VERSION')
})

it('does not tell of one that closes, or is not there', async () => {
  const closing = createServer(socket => socket.destroy())
  expect(await ask(closing)).toBe(false)
  const { port } = closing.address() as AddressInfo
  closing.close()
  await once(closing, 'close')
  server = undefined
  const { signal } = new AbortController()
  expect(await answersInClearText(new URL(`https://127.0.0.1:${port}/`), undefined, signal)).toBe(false)
})

it('is told by the end of the connection when a server hangs up without a word, and not by time', async () => {
  const answered = ask(createServer(socket => socket.once('data', () => socket.end())))
  const late = new Promise(resolve => setTimeout(resolve, 700, 'still waiting'))
  expect(await Promise.race([answered, late])).toBe(false)
})
